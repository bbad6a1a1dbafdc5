"""A supervisor without processes and sockets, and a world of wardens that outlives it.

The supervisor's decisions and its journal are the real ones: commands, register, lifecycle, live runs, attempts,
turns, readoption, and SQLite. What is simulated is what the kernel and the wardens do: a fork, a line that breaks off
with all that is on it, batches that are kept until they are acknowledged, a death that is seen later than it happens.
"""

from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal

import msgspec

from runward.actors import lifecycle, wire
from runward.actors.admission import Caps
from runward.actors.approving import Approving
from runward.actors.children import Children
from runward.actors.commands import Commands
from runward.actors.desk import Desk
from runward.actors.forgetting import Forgetting
from runward.actors.journal.patient import PatientWriter
from runward.actors.live_run import LiveRun
from runward.actors.messages.answers import FromSupervisor
from runward.actors.messages.commands import ToSupervisor
from runward.actors.messages.feed import Published
from runward.actors.messages.from_run import (
    AnswerTaken,
    AskChild,
    Claim,
    Events,
    Exited,
    ExitRecord,
    FromRun,
    Hello,
    RungReached,
    SpawnRun,
)
from runward.actors.messages.to_run import (
    Answer,
    ChildGone,
    EventsAcked,
    ExitAcked,
    Go,
    NotSpawned,
    Spawned,
    Stop,
    ToRun,
)
from runward.actors.messages.with_agent import ChildEnded, ChildRefused, ChildStarted
from runward.actors.readoption import take_up
from runward.actors.records import ProcessIdentity
from runward.actors.register import Register
from runward.actors.restarting import Restarting
from runward.actors.retaining import Retaining
from runward.actors.sessions import Sessions
from runward.actors.turns import Turns
from runward.actors.unacked import Unacked
from runward.actors.verdict import Verdict
from runward.config.sections import AgentSpec, RetentionSettings, RunsSettings, Settings, StateSettings

from .houses import FakeHouse
from .lives import a_record

Stage = Literal["decided", "written", "committed"]

BOOT = "boot"
FIRST_PID = 2**22 + 1  # above every pid of the machine that runs this
MAX_LIVE = 3
BATCHES_IN_FLIGHT = 2
RUNS = RunsSettings(
    max_live=MAX_LIVE, default_agent="once", max_children=3, max_tree_runs=6, max_tree_depth=3
)
AGENTS = {
    "once": AgentSpec(name="once", entrypoint="a:b", spawn=("once", "again")),
    "again": AgentSpec(name="again", entrypoint="a:b", restart="transient", spawn=("once",)),
}


class Warden:
    """One attempt's warden and its agent, as `warden.py` and `supervisor_link.py` have them."""

    def __init__(
        self, run_id: str, attempt: int, pid: int, spec: AgentSpec, tell: Callable[["Warden", FromRun], None]
    ) -> None:
        self.run_id, self.attempt, self.pid = run_id, attempt, pid
        self.told_of: list[ChildStarted | ChildRefused | ChildEnded] = []  # what its agent was answered
        self.children = Children(
            *(run_id, attempt, spec, RUNS, lambda: 0.0),
            tell=lambda message: tell(self, message),
            answer=self.told_of.append,
            owed=lambda: 0,
        )
        self.identity = ProcessIdentity(pid, 1, BOOT)
        self.alive = True
        self.begun = False
        self.line = 0  # how often it broke off
        self.up = True
        self.unacked = Unacked(BATCHES_IN_FLIGHT)
        self.mail: deque[ToRun] = deque()  # told, not heard yet
        self.said: list[bytes] = []  # one line for each event of its agent
        self.stop: Stop | None = None
        self.last_word: ExitRecord | None = None
        self.acked = 0  # the highest that it was told the journal has
        self.let_go = False  # its last word is in the journal, as it was told
        self.desk = Desk(attempt)
        self.heard: list[tuple[str, str]] = []  # what its agent was answered: request and choice

    @property
    def route(self) -> bytes:
        return b"%d/%d" % (self.pid, self.line)

    def hello(self) -> Hello:
        return Hello(self.run_id, self.attempt, self.identity, self.identity, self.unacked.last_n)

    def says(self, count: int) -> Events:
        n = self.unacked.last_n + 1
        lines = [
            msgspec.json.encode({"event": "test.said", "timestamp": 1.0, "attempt": self.attempt, "n": n + i})
            + b"\n"
            for i in range(count)
        ]
        self.said += lines
        events = Events(self.run_id, self.attempt, n, count, b"".join(lines))
        self.unacked.add(count, wire.encode(events))
        return events

    def asks(self) -> Events:
        """Its agent asks a person."""
        n = self.unacked.last_n + 1
        asked = self.desk.ask({"prompt": "?"}, 1.0)
        assert isinstance(asked, dict)
        numbers = {"event": "approval.request", "timestamp": 1.0, "attempt": self.attempt, "n": n}
        self.said.append(msgspec.json.encode(numbers | asked) + b"\n")
        events = Events(self.run_id, self.attempt, n, 1, self.said[-1])
        self.unacked.add(1, wire.encode(events))
        return events

    def ends(self, completed: bool) -> None:
        claim = Claim(kind="completed", output=b'"done"') if completed else None
        rung = None if self.stop is None else self.stop.mode
        self.last_word = a_record(
            last_n=self.unacked.last_n,
            code=0 if completed else 3,
            claim=claim,
            stopped=self.stop is not None,
            rung=rung,
        )


class World:
    """What goes on when the supervisor dies: wardens, and what clients were told."""

    def __init__(self) -> None:
        self.time_s = 0.0
        self.wardens: list[Warden] = []
        self.inbox: deque[tuple[Warden, bytes, FromRun]] = deque()  # on its way to the supervisor
        self.answers: dict[str, list[FromSupervisor]] = {}
        self.published: dict[str, dict[int, bytes]] = {}
        self.begun: Counter[tuple[str, int]] = Counter()

    def of(self, run_id: str) -> list[Warden]:
        return [each for each in self.wardens if each.run_id == run_id]

    def alive(self) -> list[Warden]:
        return [each for each in self.wardens if each.alive]

    def say(self, warden: Warden, message: FromRun) -> None:
        self.inbox.append((warden, warden.route, message))

    def wish(self, warden: Warden, message: FromRun) -> None:
        """What its agent wants, if there is somebody; else it is said to the next one."""
        if warden.up:
            self.say(warden, message)

    def hear(self, warden: Warden) -> None:
        """The warden takes the next message that it was told."""
        message = warden.mail.popleft()
        match message:
            case Go() if not warden.begun:
                warden.begun = True
                self.begun[warden.run_id, warden.attempt] += 1
            case Stop():
                if warden.stop is None or warden.stop.command_id != message.command_id:
                    warden.stop = message
                if warden.up:
                    self.say(
                        warden, RungReached(warden.run_id, warden.attempt, message.command_id, message.mode)
                    )
            case EventsAcked():
                warden.unacked.acked(message.n)
                warden.acked = max(warden.acked, message.n)
                if not warden.up:
                    warden.up = True
                    for body in warden.unacked.bodies():
                        self.say(warden, wire.from_run.decode(body))
                    for asked in warden.children.unanswered():
                        self.say(warden, asked)
                    self._say_last_word(warden)
            case ExitAcked():
                warden.let_go, warden.alive = True, False
            case Spawned() | NotSpawned() | ChildGone():
                warden.children.hear(message)
            case Answer():
                if warden.desk.answer(message) is not None:
                    warden.heard.append((message.request_id, message.choice))
                if warden.up:
                    self.say(warden, AnswerTaken(warden.run_id, warden.attempt, message.request_id))
            case _:
                pass

    def end(self, warden: Warden, completed: bool) -> None:
        """Its agent ends; the warden tells it, if there is somebody."""
        warden.ends(completed)
        if warden.up:
            self._say_last_word(warden)

    def _say_last_word(self, warden: Warden) -> None:
        if warden.last_word is not None:
            self.say(warden, Exited(warden.run_id, warden.attempt, warden.last_word))

    def break_lines(self, mail_is_lost: bool) -> None:
        """The supervisor is dead: what was on its way to it is gone; what it had sent, perhaps."""
        self.inbox.clear()
        for warden in self.alive():
            if mail_is_lost:
                warden.mail.clear()
            while warden.mail and warden.alive:
                self.hear(warden)
            warden.up = False
            warden.line += 1
        self.inbox.clear()

    def find(self, pid: int) -> Warden:
        return self.wardens[pid - FIRST_PID]


class Supervisor(FakeHouse):
    """Everything of `supervisor.Supervisor` that decides. Its pidfds are its wardens' pids."""

    def __init__(
        self, world: World, folder: Path, root: bytes, retention: RetentionSettings | None = None
    ) -> None:
        super().__init__()
        self.world = world
        self.time_s = world.time_s
        self.batches_in_flight = BATCHES_IN_FLIGHT
        self.journal = PatientWriter(folder)
        settings = Settings(
            state=StateSettings(dir=str(folder), reserve_bytes=0),
            runs=RUNS,
            retention=retention or RetentionSettings(),
            agents=AGENTS,
        )
        self._touched: list[LiveRun] = []
        self._turns = Turns(self.journal, self._write, _nothing, _nothing, _nothing, self.after)
        self.register = Register(Caps(MAX_LIVE))
        self._restarting = Restarting(self, settings, self.register, self._release, chance=lambda: 0.5)
        forgetting = Forgetting(self, str(folder), _ignored)
        nobody: Any = None
        self._approving = Approving(self, settings, self.register)
        asking = (self._approving, nobody, Sessions(settings, self.register, {}))
        self._commands = Commands(self, settings, self.register, nobody, nobody, forgetting, *asking)
        Retaining(self, settings.retention, self.register, forgetting)
        self._keys: dict[tuple[str, int], LiveRun] = {}  # attempts that the guard lets in
        self._watched: dict[int, LiveRun] = {}
        self._unproved: list[LiveRun] = []
        self._offspring = self._commands.offspring
        take_up(self, self.register, self._restarting, self, settings.runs, root, BOOT)
        self._offspring.take_up()
        for run in self._unproved:
            self._prove(run)
        self.admit()
        self._turns.end()

    # ── what it is asked for ─────────────────────────────────────────────────────────────────────

    def asked(self, run: LiveRun) -> None:
        self._approving.asked(run)

    def then(self, action: Callable[[], object]) -> None:
        self._turns.then(action)

    def at_once(self, action: Callable[[], object]) -> None:
        self._turns.at_once(action)

    def commit(self) -> None:
        """The end of a turn, as `FakeHouse` calls it."""
        self._turns.end()

    def _write(self) -> None:
        runs, self._touched = self._touched, []
        for run in runs:
            run.write()

    def touched(self, run: LiveRun) -> None:
        self._touched.append(run)

    def tell(self, route: bytes, message: ToRun) -> None:
        warden = self.world.find(int(route.partition(b"/")[0]))
        if warden.alive and route == warden.route:
            warden.mail.append(message)

    def publish(self, run_id: str, published: Published, blob: bytes) -> None:
        seen = self.world.published.setdefault(run_id, {})
        for number, line in enumerate(blob.splitlines(), published.first):
            assert seen.setdefault(number, line) == line, f"event {number} of {run_id} was another before"

    def admit(self) -> None:
        for run in self.register.admit():
            run.advance(lifecycle.Admitted())

    def again(self, run: LiveRun, end: Verdict) -> Verdict | None:
        return self._restarting.again(run, end)

    def ended(self, run: LiveRun) -> None:
        self.register.leave(run)
        self._release(run)
        self._offspring.ended(run)
        self.admit()

    def stop_below(self, run: LiveRun, plan: lifecycle.StopPlan) -> None:
        self._offspring.stop_below(run, plan)

    def holds(self, run: LiveRun) -> bool:
        return self._offspring.holds(run)

    def _release(self, run: LiveRun) -> None:
        self._keys.pop((run.record.run_id, run.record.attempt), None)
        if run.pidfd is not None:
            self._watched.pop(run.pidfd, None)
            run.pidfd = None

    # ── what happens to it ───────────────────────────────────────────────────────────────────────

    def obey(self, command: ToSupervisor) -> None:
        def answer(message: FromSupervisor) -> None:
            self.then(partial(self.world.answers.setdefault(command.id, []).append, message))

        self._commands.obey(command, answer)

    def asked_for(self) -> list[LiveRun]:
        """Runs that wait for their zygote."""
        return [run for run in self.register.all() if run.state.phase is lifecycle.Phase.FORKING]

    def zygote_forks(self, run: LiveRun) -> None:
        """The zygote forked a warden for it, which says hello."""
        spec, pid = AGENTS[run.record.agent], FIRST_PID + len(self.world.wardens)
        warden = Warden(run.record.run_id, run.record.attempt, pid, spec, self.world.wish)
        self.world.wardens.append(warden)
        run.record.warden_key = "key"
        self._keys[warden.run_id, warden.attempt] = run
        run.pidfd, run.warden = warden.pid, warden.identity
        self._watched[warden.pid] = run
        self.world.say(warden, warden.hello())
        run.advance(lifecycle.WardenForked())

    def fork(self, run: LiveRun) -> None:
        pass  # `asked_for` knows

    def adopt(self, run: LiveRun) -> None:
        """A `readoption.Adopts`."""
        self._keys[run.record.run_id, run.record.attempt] = run
        identity = run.record.warden
        if identity is None or not self.world.find(identity.pid).alive:
            self._unproved.append(run)  # as `Forking` has it: once all are taken up
        else:
            run.pidfd = identity.pid
            self._watched[identity.pid] = run

    def greet_again(self) -> None:
        """Every warden says hello to it; those whose key it does not know are refused, and end their runs."""
        for warden in self.world.alive():
            if (warden.run_id, warden.attempt) in self._keys:
                self.world.say(warden, warden.hello())
            else:
                warden.alive = False

    def hear(self) -> None:
        """Take the next message of a warden."""
        warden, route, message = self.world.inbox.popleft()
        run = self._keys.get((warden.run_id, warden.attempt))
        if run is None or not (isinstance(message, Hello) or route == run.route):
            return
        match message:
            case Events():
                run.take(message)
            case Hello():
                run.greeted(route, message)
            case RungReached():
                run.reached(message)
            case Exited():
                run.recorded(lifecycle.Recorded(message.record))
            case AnswerTaken():
                run.advance(lifecycle.AnswerTaken(message.request_id))
            case SpawnRun():
                self._offspring.spawn(run, message)
            case AskChild():
                self._offspring.asked(run, message)
            case _:
                raise AssertionError(message)

    def dead(self) -> list[int]:
        """The pidfds that say so."""
        return [pid for pid in self._watched if not self.world.find(pid).alive]

    def see_death(self, pid: int) -> None:
        """A pidfd is readable: what that warden had said comes first."""
        run = self._watched.pop(pid)
        while self.world.inbox:
            self.hear()
        self._prove(run)

    def _prove(self, run: LiveRun) -> None:
        run.proof = "pidns"
        run.advance(lifecycle.WardenGone())

    def crash(self, after: Stage) -> None:
        """All that was not committed is gone, and all that was not told. `after`: how far the turn had come."""
        self.world.time_s = self.time_s
        if after != "decided":
            self._write()
        if after == "committed":
            self.journal.commit()
        self.journal._database.rollback()
        self.journal.close()


def _nothing() -> None:
    pass


def _ignored(_: object) -> None:
    pass
