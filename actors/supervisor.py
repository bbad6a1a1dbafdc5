"""The supervisor: an actor, the journal's only writer. It never forks and never runs agent code.

A turn takes what has arrived, lets the pure parts decide, writes, commits once, and only then tells anybody:
journal, then publish. It believes wardens for what agents said, and only the kernel about death.
"""

import contextlib
import os
import signal
import socket
import time
from functools import partial

from . import birth, lifecycle, readoption, server_log, survivors, wire
from .actor import Actor
from .approving import Approving
from .commands import Commands
from .containment import hierarchies, walls
from .containment.holders import Holders, holders
from .containment.memory_left import MemoryLeft
from .containment.oom import OomKills
from .containment.rungs import RUNGS
from .errors import BadMessage
from .figures import Figures
from .forgetting import Forgetting
from .forking import Forking
from .journal.patient import PatientWriter
from .live_run import LiveRun
from .mailbox import Guard, KeyPair, Post, Sender
from .memory_gate import MemoryGate
from .messages.answers import (
    Agents,
    FiguresTold,
    FromSupervisor,
    Pong,
    Refusal,
    RunsStopping,
    Stack,
    StopAccepted,
)
from .messages.base import StopMode
from .messages.feed import RUNS_TOPIC, Published, RunsChanged
from .messages.from_run import (
    AnswerTaken,
    AskChild,
    Events,
    Exited,
    FromRun,
    Hello,
    RungReached,
    SpawnRun,
    StackTaken,
    SteerTaken,
)
from .messages.to_run import ToRun
from .messages.with_root import MESSAGE_BYTES, Drain, OrphansSwept, Ready, ShutDown, SweepOrphans
from .opening import await_predecessor, has_predecessor, open_journal
from .quarantine import Quarantine
from .records import Containment
from .register import Register
from .restarting import Restarting
from .retaining import Retaining
from .roles import SupervisorStart
from .room import Room
from .session_history import SessionHistory
from .sessions import Sessions, caps_of
from .stacks import Stacks
from .steering import Steering
from .turns import Turns

#: libzmq aborts the process where accept(2) finds no descriptor left, and any process of this user may knock.
DESCRIPTORS = 65_536
WARM_UP_AFTER_S = 0.25  # with runs to take up
#: What is answered though the journal is held up. A stop is carried out then, written or not.
NEEDS_NO_JOURNAL = (Refusal, Pong, Agents, Stack, StopAccepted, RunsStopping, FiguresTold)

OOM_LOOK_S = 5.0


def begin(birth_fd: int) -> None:
    """Be what was spawned with a `SupervisorStart`."""
    main(birth.born_with(birth_fd, SupervisorStart))


def main(start: SupervisorStart) -> None:
    """Be the supervisor, until root says to shut down."""
    title = "standby supervisor" if has_predecessor(start) else "supervisor"
    birth.begin_role(title, {start.control_fd, start.predecessor_fd} - {-1})
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl-C is root's
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    birth.allow_descriptors(DESCRIPTORS)
    server_log.begin("supervisor", start.settings.log.format)
    control = socket.socket(fileno=start.control_fd)
    if has_predecessor(start):
        await_predecessor(start, control)
        birth.entitle("supervisor")
    journal = open_journal(start, control)
    if journal is None:
        return
    supervisor = Supervisor(start, control, journal)
    birth.settle_memory()
    supervisor.run()
    supervisor.end()


class Supervisor(Actor):
    """All live runs of one server. Implements `live_run.House`."""

    def __init__(self, start: SupervisorStart, control: socket.socket, journal: PatientWriter) -> None:
        super().__init__()
        self._start = start
        self._settings = start.settings
        self._boot_id = birth.boot_id()
        self.figures = Figures(start.starts)
        self.journal = journal
        self.rung = RUNGS[start.found.rung]
        self.holders = holders(start.found)
        self._own_users_holders = holders(start.found, own_users=True)
        self._oom_kills = OomKills()
        self._quarantine = Quarantine(self, self._quarantine_changed)
        self._containments: dict[object, Containment] = {}
        self.start_timeout_s = self._settings.runs.start_timeout_s
        self.kill_silence_s = self._settings.supervision.kill_silence_s
        self.room = Room(start.state_dir, self._settings.state.reserve_bytes, self)
        self.batches_in_flight = self._settings.events.batches_in_flight
        told = (self._tell_of_commit, self._held_up, self._relieved)
        self._turns = Turns(self.journal, self._write, *told, self.after)
        self.then, self.at_once = self._turns.then, self._turns.at_once
        self._was_short = self._committed = False
        self._touched: list[LiveRun] = []
        self._closing: ShutDown | None = None
        self._shutdowns = 0
        self._draining = False
        self._told_changed = self.journal.changed
        runs = start.settings.runs
        memory = MemoryLeft(hierarchies.of_this_process())
        gate = MemoryGate(runs.min_available_bytes, self.clock, self.after, self.admit, memory)
        caps = caps_of(start.settings, start.key_caps)
        self._register = Register(caps, runs.priority_step_s, gate)
        self._history = SessionHistory(journal, runs, start.settings.events.max_message_bytes)
        self.given_to = self._history.given
        guard = self._open_mailboxes()
        self._forking = Forking(
            self, start, self._boot_id, self._register, guard, self._drain_wardens, self._ask_sweep
        )
        self._restarting = Restarting(self, self._settings, self._register, self._forking.release)
        self.again = self._restarting.again
        self._stacks = Stacks(self, self._register)
        forgetting = Forgetting(self, start.state_dir, self._forking.provisions.folders.forget)
        self._approving = Approving(self, start.settings, self._register)
        self.asked = self._approving.asked
        self._steering = Steering(self, self, self._register)
        about_runs = (self._register, self._forking, self._stacks, forgetting)
        sessions = Sessions(start.settings, self._register, start.key_caps)
        about_people = (self._approving, self._steering)
        self._commands = Commands(self, start.settings, *about_runs, *about_people, sessions)
        self._offspring = self._commands.offspring
        self.stop_below, self.holds = self._offspring.stop_below, self._offspring.holds
        Retaining(self, start.settings.retention, self._register, forgetting)
        self._control = control
        self._begin()

    # ── beginning and end ────────────────────────────────────────────────────────────────────────

    def _begin(self) -> None:
        """Everything is made: take up what is there, then tell root that we serve."""
        self._control.setblocking(False)
        self.watch(self._start.control_fd, self._root_says)
        self._recover()
        self.turn_ended()  # what was lost is written before anybody asks how it stands
        # Runs that go on are heard first: zygotes want the CPUs for longer than it takes to hear all of them.
        self.after(WARM_UP_AFTER_S if len(self._register) else 0.0, self._forking.warm_up)
        self._look_for_oom_kills()
        self._control.send(wire.encode(Ready()))

    def _open_mailboxes(self) -> Guard:
        keys = KeyPair(self._start.server_keys.public, self._start.server_keys.secret)
        self._post = Post(self._settings.events.max_message_bytes)
        guard = self._post.guard
        for name, public in self._start.facade_keys.items():
            guard.admit(public, name)
        paths = self._start.paths
        self._commands_inbox = self._post.inbox(paths.commands, keys)
        self._wardens = self._post.inbox(paths.runs, keys)
        self._feed = self._post.feed(paths.feed, keys)
        self.pump(guard.news, guard.drain)
        self.pump(self._commands_inbox.news, self._drain_commands)
        self.pump(self._wardens.news, self._drain_wardens)
        self.pump(self._feed.news, self._welcome)
        return guard

    def _recover(self) -> None:
        """Take up what an earlier supervisor left. No warden is answered before, so none that is known is refused;
        and nothing is given to a run before it is known what the others have.
        """
        pid = os.getppid()
        root = f"{pid} {birth.start_ticks(pid)} {self._boot_id}".encode()
        runs = self._settings.runs
        readoption.take_up(
            *(self, self._register, self._restarting, self._forking, runs, root, self._boot_id),
        )
        self._forking.take_over()
        self._offspring.take_up()
        self.admit()

    def _root_says(self) -> None:
        try:
            body = self._control.recv(MESSAGE_BYTES)
        except BlockingIOError:
            return
        if not body:
            self._shut_down(ShutDown(0.0))  # root is gone: nothing may be orphaned
            self.unwatch(self._control.fileno())
            return
        match wire.to_role.decode(body):
            case ShutDown() as message:
                self._shut_down(message)
            case Drain():
                self._drain()
            case OrphansSwept(survivors, wardens):
                self._forking.swept(survivors, wardens)

    def _ask_sweep(self, end: list[int]) -> None:
        self._control.send(wire.encode(SweepOrphans(end)))

    def _drain(self) -> None:
        """Let the live runs come to their ends. Those that wait would only begin to be broken off."""
        self._draining = self._commands.closing = self._restarting.closing = True
        self._leave_if_drained()

    def _leave_if_drained(self) -> None:
        if self._draining and self._closing is None and len(self._register) == self._register.waiting:
            self._shut_down(ShutDown(0.0))

    def _shut_down(self, message: ShutDown) -> None:
        """End every run by the ladder, without grace the second time; then this loop."""
        again = self._closing is not None
        self._closing, self._commands.closing, self._restarting.closing = message, True, True
        self._shutdowns += 1
        mode: StopMode = "kill" if again or message.grace_s == 0 else "interrupt"
        plan = readoption.shutdown_plan(self._shutdowns, message.grace_s, mode)
        for run in self._register.all():
            run.advance(lifecycle.StopWanted(plan))
        if not len(self._register):
            self.stop()

    def end(self) -> None:
        """Commit, and give everything back. Blocks some ms for the zygotes."""
        self.turn_ended()
        self._forking.close()
        self._quarantine.close()
        for socket_ in (self._commands_inbox, self._wardens, self._feed):
            socket_.close()
        self._post.close()
        self.journal.close()
        self.close()

    # ── a turn ───────────────────────────────────────────────────────────────────────────────────

    def turn_ended(self) -> None:
        """Journal, then publish."""
        began = self.clock()
        self._turns.end()
        if self._committed:
            self._committed = False
            self.figures.commit_s.observe(self.clock() - began)

    def _write(self) -> None:
        runs, self._touched = self._touched, []
        for run in runs:
            run.write()

    def _tell_of_commit(self) -> None:
        self._committed = True
        if self.journal.changed != self._told_changed:
            self._told_changed = self.journal.changed
            self.then(self._tell_changed)
        is_short, was_short = self.room.is_short(), self._was_short
        self._was_short = is_short
        if is_short and not was_short:
            for run in self._register.all():
                run.warn(
                    "journal_room", "the server's disk is nearly full; if it fills up, this run is held up"
                )

    def _held_up(self) -> None:
        server_log.say(f"no room for the journal in {self._start.state_dir}: live runs wait for it", "error")

    def _relieved(self) -> None:
        server_log.say("there is room for the journal again: live runs go on")
        self.admit()

    def touched(self, run: LiveRun) -> None:
        """It has events to write at the end of the turn."""
        self._touched.append(run)

    def now(self) -> float:
        """Unix seconds."""
        return time.time()

    def tell(self, route: bytes, message: ToRun) -> None:
        """To the warden behind this connection; if that is gone, its pidfd will say so."""
        self._wardens.send(route, wire.encode(message))

    def containment_of(self, agent: str) -> Containment:
        """What holds every run of this agent, which is declared."""
        names, missing = self._forking.walls(agent)
        known = self._containments.get((agent, names))
        if known is None:
            held = self.holders_of(agent)
            known = self._containments[agent, names] = Containment(
                kill=self._forking.rung(agent).level,
                applied={**walls.held(names, self._settings.agents[agent]), **held.everywhere},
                missing=[*self._start.found.missing, *missing, *held.missing],
            )
        return known

    def holders_of(self, agent: str) -> Holders:
        """Who holds the limits of this agent's runs."""
        return self._own_users_holders if walls.UID in self._forking.walls(agent)[0] else self.holders

    def publish(self, run_id: str, published: Published, blob: bytes) -> None:
        """To the feed."""
        self._feed.publish(run_id.encode(), wire.encode(published), blob)

    def _tell_changed(self) -> None:
        self._feed.publish(RUNS_TOPIC.encode(), wire.encode(RunsChanged(self.journal.changed)))

    def _welcome(self) -> bool:
        """Tell a new subscriber where the run stands, so that nothing falls between journal and feed."""
        worked = False
        for topic in self._feed.subscribed():
            worked = True
            run_id = topic.decode(errors="replace")
            if run_id == RUNS_TOPIC:
                self.then(self._tell_changed)  # a supervisor that died may not have told of the last
                continue
            welcome = Published(self._last_seq(run_id) + 1, 0, self._register.get(run_id) is None)
            self.then(partial(self.publish, run_id, welcome, b""))
        return worked

    def _last_seq(self, run_id: str) -> int:
        self._write()  # a run may have ended in this turn: its readers must be told of its last event
        run = self._register.get(run_id)
        if run is not None:
            return run.seq
        key = self.journal.run_key(run_id)
        return 0 if key is None else self.journal.last_seq(key)

    def _look_for_oom_kills(self) -> None:
        self._oom_kills.look()
        self.after(OOM_LOOK_S, self._look_for_oom_kills)

    def kill_leaf(self, run: LiveRun) -> None:
        """SIGKILL to all in the run's cgroup, if it has one."""
        self._forking.provisions.leaves.kill(run.record.leaf)

    def left_of(self, run: LiveRun) -> list[int]:
        """The live processes of the run."""
        warden = None if run.warden is None else run.warden.pid
        return survivors.left_of(warden, self._forking.provisions.leaves.processes(run.record.leaf))

    def outlived(self, run: LiveRun, pids: list[int]) -> None:
        """No new run for this agent until they are gone."""
        self._quarantine.begin(run.record.agent, pids)

    def quarantined(self, agent: str) -> str | None:
        """Why the agent gets no new run, if that is so."""
        return self._quarantine.why(agent)

    def _quarantine_changed(self, line: str) -> None:
        server_log.say(line, "error")
        self.admit()

    def memory_was_short(self) -> bool:
        """Whether the kernel killed somebody lately for want of memory."""
        return self._oom_kills.lately()

    # ── runs come and go ─────────────────────────────────────────────────────────────────────────

    def admit(self) -> None:
        """Start the waiting runs that there is a slot for."""
        if not self._commands.closing and not self.journal.held_up:
            for run in self._register.admit(self._quarantine.agents):
                run.advance(lifecycle.Admitted())

    def spare_for(self, agent: str, limits: dict[str, float]) -> str | None:
        """Of those that wait for a run."""
        return self._forking.reserve(agent, limits)

    def fork(self, run: LiveRun) -> None:
        """Ask the run's zygote for a warden."""
        self._forking.fork(run)

    def ended(self, run: LiveRun) -> None:
        """Free the slot and all that the run held here."""
        self.then(partial(_tell_of_end, run))
        self._register.leave(run)
        self._forking.ended(run)
        self._offspring.ended(run)
        if self._closing is not None and not len(self._register):
            self.stop()
        self._leave_if_drained()
        self.admit()

    # ── messages ─────────────────────────────────────────────────────────────────────────────────

    def _drain_commands(self) -> bool:
        worked = False
        for sender, body in self._commands_inbox.drain():
            worked = True
            try:
                command = wire.to_supervisor.decode(body)
            except BadMessage:
                continue  # a facade of another version; it will time out and say so
            self._commands.obey(command, partial(self._answer, sender.route))
        return worked

    def _answer(self, route: bytes, answer: FromSupervisor) -> None:
        later = self.at_once if isinstance(answer, NEEDS_NO_JOURNAL) else self.then
        later(partial(self._commands_inbox.send, route, wire.encode(answer)))

    def _drain_wardens(self) -> bool:
        worked = False
        for sender, body in self._wardens.drain():
            worked = True
            run = self._register.spoken_for(sender.name)
            if run is None or run.state.phase is lifecycle.Phase.QUEUED:
                self._hear_stranger(sender, body)
            else:
                self._hear(run, sender.route, body)
        return worked

    def _hear_stranger(self, sender: Sender, body: bytes) -> None:
        """Nobody that we wait for; a spare's warden says hello."""
        with contextlib.suppress(BadMessage):
            message = wire.from_run.decode(body)
            if isinstance(message, Hello):
                self._forking.stranger_greeted(sender.name, sender.route, message)

    def _hear(self, run: LiveRun, route: bytes, body: bytes) -> None:
        """What the holder of this run's key says; a claim to be another run is not listened to."""
        try:
            message = wire.from_run.decode(body)
        except BadMessage as error:
            run.advance(lifecycle.Misbehaved(str(error)))
            return
        if (message.run_id, message.attempt) != (run.record.run_id, run.record.attempt):
            run.advance(lifecycle.Misbehaved("the warden spoke for another run"))
        elif isinstance(message, Hello) or route == run.route:  # else of a line that it has given up
            self._dispatch(run, route, message)

    def _dispatch(self, run: LiveRun, route: bytes, message: FromRun) -> None:
        match message:
            case Events():
                run.take(message)
            case Hello():
                is_back = run.state.began
                run.greeted(route, message)
                self._forking.greeted(run)
                if is_back:
                    self._steering.resume(run)
            case RungReached():
                run.reached(message)
            case Exited():
                run.recorded(lifecycle.Recorded(message.record))
            case StackTaken():
                self._stacks.taken(message)
            case AnswerTaken():
                run.advance(lifecycle.AnswerTaken(message.request_id))
            case SteerTaken():
                self._steering.taken(message)
            case SpawnRun():
                self._offspring.spawn(run, message)
            case AskChild():
                self._offspring.asked(run, message)


def _tell_of_end(run: LiveRun) -> None:
    record = run.record
    server_log.say(
        f"run {record.status}",
        "error" if record.exit is not None and record.exit.survivors else "info",
        run_id=record.run_id,
        agent=record.agent,
        reason=record.reason,
    )
