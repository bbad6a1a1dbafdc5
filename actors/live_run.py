"""One run as the supervisor holds it: its record, where it stands, and how what was decided is carried out.

Effects go to the journal at once and to the world through `house.then`, which waits for the commit of the turn.
"""

import contextlib
import signal
from collections.abc import Callable
from typing import Any, Protocol, assert_never

import msgspec

from . import lifecycle, limits
from .actor import Callback, Timer
from .containment.holders import CGROUP, WARDEN, Holders
from .containment.reaping import PATIENCE_S
from .containment.rungs import KillRung
from .credit import TO_DIE, TO_OBEY, Credit
from .desk import questions
from .figures import Figures
from .intake import lawful
from .journal.patient import PatientWriter
from .lifecycle import Effect, LifeMessage, Phase, StopPlan
from .mailbox import KeyPair
from .messages.base import StopMode
from .messages.feed import Published
from .messages.from_run import Events, ExitRecord, Hello, RungReached
from .messages.to_run import Answer, EventsAcked, ExitAcked, Go, Stop, TakeStack, ToRun
from .records import (
    ApprovalAnswer,
    Containment,
    Exit,
    LimitReason,
    ProcessIdentity,
    Reason,
    RunInput,
    RunRecord,
    Status,
)
from .room import Room
from .stopping import StopAsked, longest_s
from .survivors import described
from .trees import added
from .verdict import Verdict, survivors, terminal_event, terminal_fields, verdict

INTERRUPT_MESSAGE = "Stop requested via API"
#: A turn's events that are more than this are only announced, and read from the journal: the queues of the feed are
#: counted in messages, and a facade that hangs while runs flood would let them grow by the size of these.
FED_BYTES = 16_384
NEVER_STARTED = "never_started"
RETURN_S = 2.0  # a warden that was told to stop has come back to a new supervisor within this, or is killed
_SPEAKING = frozenset({Phase.RUNNING, Phase.STOPPING})  # phases in which a warden has events to send


class House(Protocol):
    """What a run needs of its supervisor."""

    journal: PatientWriter
    rung: KillRung
    holders: Holders
    start_timeout_s: float
    kill_silence_s: float
    batches_in_flight: int
    room: Room
    figures: Figures

    def clock(self) -> float:
        """Monotonic seconds."""

    def now(self) -> float:
        """Unix seconds."""

    def after(self, delay_s: float, callback: Callback) -> Timer:
        """A timer."""

    def then(self, action: Callable[[], object]) -> None:
        """Do it once all that was written is committed."""

    def at_once(self, action: Callable[[], object]) -> None:
        """As `then`; but if the journal is held up, without it."""

    def tell(self, route: bytes, message: ToRun) -> None:
        """To the warden behind this connection."""

    def touched(self, run: "LiveRun") -> None:
        """It has events to write at the end of the turn."""

    def containment_of(self, agent: str) -> Containment:
        """What holds every run of this agent, beside its limits."""

    def holders_of(self, agent: str) -> Holders:
        """Who holds the limits of this agent's runs."""

    def publish(self, run_id: str, published: Published, blob: bytes) -> None:
        """To the feed."""

    def given_to(self, run: "LiveRun") -> RunInput:
        """What its agent is given, its session's history included where it asked for that."""

    def spare_for(self, agent: str, limits: dict[str, float]) -> str | None:
        """The id of a spare that will do for a run with these limits, kept for it from now on; None: no spare."""

    def fork(self, run: "LiveRun") -> None:
        """Ask the run's zygote for a warden."""

    def admit(self) -> None:
        """Start the waiting runs that there is a slot for."""

    def kill_leaf(self, run: "LiveRun") -> None:
        """SIGKILL to all in the run's cgroup, if it has one."""

    def left_of(self, run: "LiveRun") -> list[int]:
        """The live processes of the run: its warden, all below it, all in its cgroup."""

    def outlived(self, run: "LiveRun", pids: list[int]) -> None:
        """These outlived a kill: no new run for this agent until they are gone."""

    def quarantined(self, agent: str) -> str | None:
        """Why the agent gets no new run, if that is so."""

    def memory_was_short(self) -> bool:
        """Whether the kernel killed somebody lately for want of memory."""

    def stop_below(self, run: "LiveRun", plan: StopPlan) -> None:
        """The run is to end, and so are its children."""

    def holds(self, run: "LiveRun") -> bool:
        """Whether children of a run that is over live on. They are to end; `end_if_held` is called after the last."""

    def again(self, run: "LiveRun", end: Verdict) -> Verdict | None:
        """None: another attempt follows, which is another `LiveRun`. Else how the run ends."""

    def ended(self, run: "LiveRun") -> None:
        """Free the slot."""

    def asked(self, run: "LiveRun") -> None:
        """What it waits for has changed."""


class LiveRun:
    """A run that has not ended. `n` counts the warden's events, `seq` all events of the run.

    `route`: the connection that is listened to, from a hello on. `reaper`: the zygote that will wait for the warden;
    None: root, since that zygote ended with its supervisor.
    """

    def __init__(self, house: House, key: int, record: RunRecord, given: RunInput, seq: int = 0) -> None:
        self._house = house
        self.key = key
        self.record = record
        self.given = given
        self.seq = seq
        self.state = lifecycle.State()
        self.keys: KeyPair | None = None
        self.pidfd: int | None = None
        self.proof = _proof_so_far(record)
        self.kind: str | None = None
        self.warden: ProcessIdentity | None = None  # by the zygote and the kernel, not by itself
        self.reaper: int | None = None
        self.route: bytes | None = None
        self._kill_reported = False
        self._exit_acked = False
        self._written = seq
        self._unwritten: list[bytes] = []  # events of this turn
        self._credit = Credit(house.batches_in_flight, house.room)
        self._stop_began: float | None = None
        self._kill_began: float | None = None
        self._kill_took_s: float | None = None
        self._watch: Timer | None = None
        self._goes_on = False  # in another attempt
        self._held: Verdict | None = None  # how it ended, while it waits for its children's ends

    # ── what happens to it ───────────────────────────────────────────────────────────────────────

    def advance(self, message: LifeMessage) -> None:
        """Let the lifecycle decide and carry it out."""
        self.state, effects = lifecycle.step(self.state, message)
        for effect in effects:
            self._carry_out(effect)
        if isinstance(message, lifecycle.StopWanted):
            self._house.stop_below(self, message.plan)

    def adopt(self, state: lifecycle.State) -> None:
        """Take it up from an earlier supervisor. If its warden is there, it says hello again."""
        self.state, self.warden = state, self.record.warden
        in_time_s = self._house.start_timeout_s if state.phase is Phase.RUNNING else RETURN_S
        self._expect(in_time_s, "the return of its warden")
        self._house.asked(self)

    def greeted(self, route: bytes, hello: Hello) -> None:
        """The warden's first words on a connection that holds the run's key."""
        self.route = route
        if not self.state.began:
            self.record.warden, self.record.agent_pid = hello.warden, hello.agent.pid
            self.check_identity()
        elif not self._known_again(hello):
            self.advance(lifecycle.Misbehaved("the warden that came back is another, or has lost events"))
        self.advance(lifecycle.Greeted())

    def _known_again(self, hello: Hello) -> bool:
        record = self.record
        same = record.warden is not None and record.warden.pid == hello.warden.pid
        return same and record.agent_pid == hello.agent.pid and hello.last_n >= self._n

    def check_identity(self) -> None:
        """Who the warden is was said by the zygote first; a later server would kill whom it names."""
        named, found = self.record.warden, self.warden
        if named is None or found is None:
            return
        self.record.warden = found
        if named.pid != found.pid:
            self.advance(lifecycle.Misbehaved("the warden says that it is another process"))

    def take(self, events: Events) -> None:
        """A batch: journal it, then publish and acknowledge it. A repeated one is only acknowledged."""
        if self.state.distrusted or self.state.phase not in _SPEAKING:
            return
        if events.n + events.count - 1 <= self._n:
            self._give_credit()
        elif events.n != self._n + 1 or not self._credit.is_left or not lawful(events.blob, events.count):
            self.advance(lifecycle.Misbehaved("the warden sent what it may not send"))
        else:
            self._append(events.count, events.blob)
            self._credit.take(self._give_credit)
            if asked := questions(events.blob):
                self.advance(lifecycle.Asked(asked))

    def answered(self, answers: tuple[ApprovalAnswer, ...]) -> None:
        """What it asks is answered, by a person or by its deadline."""
        for each in answers:
            more: dict[str, Any] = {"timed_out": True} if each.timed_out else {}
            more |= {} if each.note is None else {"note": each.note}
            self._emit(
                "approval.responded", request_id=each.request_id, choice=each.choice, resolved=1, **more
            )
        self.advance(lifecycle.Answered(answers))

    def recorded(self, exited: lifecycle.Recorded) -> None:
        """The exit record: every event up to its `last_n` came before it on the same connection."""
        record = exited.record
        if record.last_n != self._n:
            self.advance(lifecycle.Misbehaved(f"{record.last_n} events were sent, {self._n} came"))
            return
        self.kind = record.kind
        self.advance(lifecycle.Recorded(self._explained(_with_one_value(record))))
        if self.record.exit_record is None and self.state.record is not None:
            # The warden goes once this is acknowledged, and then only the journal knows how the run ended.
            self.record.exit_record = msgspec.msgpack.encode(self.state.record)
            self._save()

    def _explained(self, record: ExitRecord) -> ExitRecord:
        """Killed by none of us, just when the kernel killed for want of memory, and no cgroup can tell whom."""
        killed = record.signal == signal.SIGKILL and record.rung is None and record.limit is None
        if not killed or self._house.holders.limits.get("memory_bytes") == CGROUP:
            return record
        short = self._house.memory_was_short()
        return msgspec.structs.replace(record, limit=LimitReason.OUT_OF_MEMORY) if short else record

    def reached(self, rung: RungReached) -> None:
        """The warden climbs: it took the stop, and is not silent. A kill has its own patience."""
        if self.state.stop is not None and rung.command_id == self.state.stop.command_id:
            self._house.journal.finish_command(rung.command_id, self._house.now())
            if self.state.phase is Phase.STOPPING and self.record.rung not in (None, rung.rung):
                self._announce_rung(rung.rung)
        if rung.rung != "interrupt":
            self._credit.spare(TO_DIE, self._give_credit)
        if rung.rung == "kill" and self.state.phase is Phase.STOPPING and not self._kill_reported:
            self._kill_reported = True
            self._kill_began = self._kill_began or self._house.clock()
            self._relax()
            self._expect(PATIENCE_S + self._house.kill_silence_s, "the kill")

    @property
    def has_agent(self) -> bool:
        """Whether there is an agent that its warden could ask for its stacks."""
        return self.state.phase in (Phase.RUNNING, Phase.STOPPING) and self.route is not None

    def take_stack(self, command_id: str) -> None:
        """Have the warden ask the agent for its stacks; its answer bears this id."""
        self._house.at_once(lambda: self._tell_now(TakeStack(command_id)))

    def warn(self, code: str, message: str) -> None:
        """Tell whoever reads its events of something that has not happened yet. Not before it began."""
        if self.state.phase in (Phase.RUNNING, Phase.STOPPING):
            self._emit("run.warning", code=code, message=message)
            self._save()

    def tell_of(self, event: str, **fields: Any) -> None:
        """An event of the runtime's own, of a run that has not ended."""
        self._emit(event, **fields)
        self._save()

    # ── what is done about it ────────────────────────────────────────────────────────────────────

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Effect.FORK:
                self._house.fork(self)
            case Effect.EXPECT_HELLO:
                self._expect(self._house.start_timeout_s, "the start")
            case Effect.BEGIN:
                self._begin()
            case Effect.RESUME:
                self._relax()
                self._house.then(self._ack)
                self._tell_go()
            case Effect.ANNOUNCE_STOP:
                self._announce_stop()
            case Effect.TELL_STOP:
                self._tell_stop()
            case Effect.KILL_WARDEN:
                self._kill_warden()
            case Effect.ACK_EXIT:
                self.tell(ExitAcked())
                if not self._exit_acked:
                    self._exit_acked = True
                    self._relax()
                self._expect(self._house.kill_silence_s, "the warden's exit")
            case Effect.LOOK_WHO_IS_LEFT:
                self._look_who_is_left()
            case Effect.END:
                self._end()
            case Effect.SHOW_WAITING:
                self._save()
            case Effect.TELL_ANSWERS:
                for each in self.state.answers:
                    self.tell(Answer(each.request_id, each.choice, each.note, each.timed_out))
            case _:
                assert_never(effect)

    def _expect(self, within_s: float, what: str) -> None:
        """`Silent` if nothing else happens in time. What is expected already is not put off by asking again."""
        due = self._house.clock() + within_s
        if self._watch is not None and self._watch.due <= due:
            return
        self._relax()
        silent = lifecycle.Silent(f"{what} did not come within {within_s:g} s")
        self._watch = self._house.after(within_s, lambda: self.advance(silent))

    def _relax(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _begin(self) -> None:
        self._relax()
        now = self._house.now()
        if self.record.started_at is None:
            self._house.figures.began(now - self.record.created_at)
        self.record.status, self.record.started_at = Status.RUNNING, self.record.started_at or now
        held = self._house.holders_of(self.record.agent)
        self.record.containment = limits.containment(
            self._house.containment_of(self.record.agent), self.record.limits, held.limits, held.gaps
        )
        self.record.runtime_events = self.seq  # the next events are this attempt's
        self._emit(
            "run.started", attempt=self.record.attempt, pid=self.record.agent_pid, agent=self.record.agent
        )
        self._save()
        self._tell_go()

    def _tell_go(self) -> None:
        given, held = self.record.limits, self._house.holders.limits
        in_leaf = limits.held_by(CGROUP, given, held)
        self.tell(
            Go(self._house.given_to(self), limits.held_by(WARDEN, given, held), "memory_bytes" in in_leaf)
        )

    def _announce_stop(self) -> None:
        plan = self._plan()
        self.record.status = Status.STOPPING
        self._announce_rung(plan.mode)

    def _announce_rung(self, rung: StopMode) -> None:
        self.record.rung = rung
        reason = "shutdown" if self._plan().shutdown else self.record.stop_reason
        self._emit("run.stopping", mode=rung, reason=reason)
        self._save()

    def _tell_stop(self) -> None:
        plan = self._plan()
        self._stop_began = self._stop_began or self._house.clock()
        asked = StopAsked(plan.mode, plan.interrupt_grace_s, plan.terminate_grace_s)
        message = "Server is shutting down" if plan.shutdown else INTERRUPT_MESSAGE
        self._credit.spare(TO_OBEY, self._give_credit)
        told = Stop(plan.command_id, plan.mode, plan.interrupt_grace_s, plan.terminate_grace_s, message)
        self._house.at_once(lambda: self._tell_now(told))
        if not self._kill_reported:  # else it is under way, and has its own patience
            self._expect(longest_s(asked) + self._house.kill_silence_s, "the end of the stop ladder")

    def _kill_warden(self) -> None:
        self._relax()
        self._stop_began = self._stop_began or self._house.clock()
        self._kill_began = self._kill_began or self._house.clock()
        if self.pidfd is not None:
            pidfd = self.pidfd
            self._house.at_once(lambda: _kill(pidfd))
            self._house.at_once(lambda: self._house.kill_leaf(self))
        # Where no namespace ends the rest with it, the zygote does, and needs its time.
        within_s = PATIENCE_S if self._house.rung.gone_with_warden else 2 * PATIENCE_S
        self._expect(within_s, "the end of what was killed")

    def _look_who_is_left(self) -> None:
        """Nobody: then the proof is on its way."""
        left = self._house.left_of(self)
        if left:
            self.advance(lifecycle.Stuck(tuple(left)))
        else:
            self._relax()
            self._expect(PATIENCE_S, "the proof")

    def _end(self) -> None:
        self._relax()
        took_ms = None if self._stop_began is None else (self._house.clock() - self._stop_began) * 1000
        if self._kill_began is not None:
            self._kill_took_s = self._house.clock() - self._kill_began
        left = survivors(self.state)
        self._held = verdict(self.state, self.proof, took_ms, [described(pid) for pid in left])
        if left:
            self._house.outlived(self, left)
        if not self._house.holds(self):
            self.end_if_held()

    def end_if_held(self) -> None:
        """No child of it lives: if nothing is left of the run itself, it ends, or begins again."""
        end, self._held = self._held, None
        last = None if end is None else self._house.again(self, end)
        if last is not None:
            self._write_end(last)
            self._house.ended(self)

    def end_by_its_word(self, state: lifecycle.State, proof: str) -> None:
        """End a run of an earlier server: its warden's last word was journalled, and nothing of it is left."""
        self.state, self.proof = state, proof
        self.advance(lifecycle.WardenGone())

    def lose(self, proof: str, error: str) -> None:
        """End a run of an earlier supervisor that can't be taken up again, and of which nothing is left."""
        self.state = lifecycle.State(phase=Phase.ENDED)
        lost = Verdict(Status.FAILED, Reason.LOST, Exit(proof=proof), error=error)
        was_to_end = self.record.status is Status.STOPPING
        last = lost if was_to_end else self._house.again(self, lost)
        if last is not None:
            self._write_end(last)

    def hand_over(self, end: Verdict, delay_s: float) -> "LiveRun":
        """This attempt ended like that, and the run waits for its next, which has the record from here on."""
        self._goes_on = True
        self._house.figures.restarted(self.record.agent)
        record = self.record
        record.attempt += 1
        record.status = Status.QUEUED
        record.next_attempt_at = self._house.now() + delay_s
        record.warden = record.warden_key = record.agent_pid = record.exit_record = None
        record.leaf = ""
        fields = {"reason": end.reason, "delay_s": delay_s, "error": end.error, "exit": end.exit}
        if end.status is Status.COMPLETED:
            fields |= terminal_fields(end, end.usage)
        self._emit("run.restarting", attempt=record.attempt, **fields)
        self._save()
        return LiveRun(self._house, self.key, record, self.given, self.seq)

    def _write_end(self, end: Verdict) -> None:
        record = self.record
        record.status, record.reason, record.exit = end.status, end.reason, end.exit
        record.error, record.usage = end.error, added(record.usage, end.usage)
        record.output = msgspec.Raw(end.output) if end.output else None
        record.ended_at = self._house.now()
        record.exit_record = None
        if record.webhook is not None:
            self._house.journal.owe(self.key, record.ended_at)
        self._house.figures.ended(record, self._kill_took_s)
        self._emit(terminal_event(end), **terminal_fields(end, record.usage))
        if self.state.stop is not None:
            self._house.journal.finish_command(self.state.stop.command_id, record.ended_at)
        self._save()

    # ── writing and telling ──────────────────────────────────────────────────────────────────────

    def queued(self, position: int) -> None:
        """The first event."""
        self._emit("run.queued", position=position)

    def _emit(self, event: str, **fields: Any) -> None:
        """An event of the runtime's own. The caller saves the record, which counts it."""
        self.record.last_event = event
        self.record.runtime_events += 1
        line = msgspec.json.encode({"event": event, "timestamp": self._house.now(), **fields}) + b"\n"
        self._append(1, line)

    def _append(self, count: int, blob: bytes) -> None:
        self._unwritten.append(blob)
        self.seq += count
        if len(self._unwritten) == 1:
            self._house.touched(self)

    def write(self) -> None:
        """All events of this turn as one row and one message. Called by the supervisor before it commits."""
        blob, self._unwritten = b"".join(self._unwritten), []
        first, self._written = self._written + 1, self.seq
        self._house.journal.append(self.key, first, self.seq, blob)
        is_over = self.record.status.ended and not self._goes_on
        self._house.figures.wrote(self.seq - first + 1, len(blob))
        published = Published(first, self.seq - first + 1, is_over)
        fed = blob if len(blob) <= FED_BYTES else b""
        self._house.then(lambda: self._house.publish(self.record.run_id, published, fed))

    def _save(self) -> None:
        self.record.updated_at = self._house.now()
        self.record.last_seq = self.seq
        self.record.answers = self.state.answers
        if self.record.approvals != self.state.asked:
            self.record.approvals = self.state.asked
            self._house.asked(self)
            if self.record.status in (Status.RUNNING, Status.WAITING_FOR_APPROVAL):
                waits = bool(self.state.asked)
                self.record.status = Status.WAITING_FOR_APPROVAL if waits else Status.RUNNING
        self._house.journal.save_run(self.key, self.record)

    @property
    def _n(self) -> int:
        """How many of the attempt's events are here. By subtraction, so that the journal knows it at every commit."""
        return self.seq - self.record.runtime_events

    def _give_credit(self) -> None:
        self._house.then(self._ack)

    def _ack(self) -> None:
        self._credit.given()
        self._tell_now(EventsAcked(self._n))

    def tell(self, message: ToRun) -> None:
        """Say it to its warden once all that was written is committed."""
        self._house.then(lambda: self._tell_now(message))

    def _tell_now(self, message: ToRun) -> None:
        if self.route is not None:
            self._house.tell(self.route, message)

    def _plan(self) -> StopPlan:
        assert self.state.stop is not None
        return self.state.stop


def _proof_so_far(record: RunRecord) -> str:
    """What proves, before anything was forked, that nothing is left of the run."""
    before = record.last_crash
    return NEVER_STARTED if before is None else before.exit.proof or NEVER_STARTED


def _with_one_value(record: ExitRecord) -> ExitRecord:
    """The record with an output that is one JSON value on one line, or none: it becomes part of an event."""
    if record.claim is None or not record.claim.output:
        return record
    try:
        output = msgspec.json.encode(msgspec.json.decode(record.claim.output))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        output = b""
    return msgspec.structs.replace(record, claim=msgspec.structs.replace(record.claim, output=output))


def _kill(pidfd: int) -> None:
    with contextlib.suppress(OSError):  # gone already, and the descriptor closed
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
