"""A supervisor that only remembers: what a live run wrote, told, published and asked for, and in which order."""

import json
from collections.abc import Callable
from typing import Any

import msgspec

from runward.actors.actor import Timer
from runward.actors.containment.findings import Found
from runward.actors.containment.holders import Holders, holders
from runward.actors.containment.rungs import PIDNS
from runward.actors.figures import Figures
from runward.actors.lifecycle import Admitted, Recorded, StopPlan, StopWanted, WardenForked, WardenGone
from runward.actors.live_run import LiveRun
from runward.actors.messages.base import StopMode
from runward.actors.messages.feed import Published
from runward.actors.messages.from_run import Events, Hello
from runward.actors.messages.to_run import ToRun
from runward.actors.records import ApprovalRequest, Containment, ProcessIdentity, RunInput, RunRecord
from runward.actors.verdict import Verdict

from .lives import a_record

ROUTE = b"route"
WARDEN, AGENT = ProcessIdentity(70, 7, "boot"), ProcessIdentity(71, 7, "boot")
PIDFD = 1_000_000  # no descriptor has this number


class Journal:
    """What was written, by kind."""

    def __init__(self) -> None:
        self.blob = b""
        self.numbers: list[tuple[int, int]] = []
        self.saved: list[dict[str, Any]] = []
        self.finished: list[str] = []
        self.held_up = False

    def append(self, _key: int, first: int, last: int, blob: bytes) -> None:
        self.numbers.append((first, last))
        self.blob += blob

    def save_run(self, _key: int, record: RunRecord) -> None:
        self.saved.append(json.loads(msgspec.json.encode(record)))

    def finish_command(self, command_id: str, _at: float) -> None:
        self.finished.append(command_id)

    def events(self) -> list[Any]:
        """As a JSON client reads them, line by line."""
        return [json.loads(line) for line in self.blob.split(b"\n")[:-1]]

    def names(self) -> list[str]:
        return [event["event"] for event in self.events()]


class FakeRoom:
    """A `room.Room` that is short when a test says so."""

    def __init__(self) -> None:
        self.short = False
        self.waiting: list[Callable[[], object]] = []

    def is_short(self) -> bool:
        return self.short

    def wait(self, go_on: Callable[[], object]) -> None:
        self.waiting.append(go_on)

    def make(self) -> None:
        """Room."""
        self.short = False
        while self.waiting:
            self.waiting.pop()()


class FakeHouse:
    """A `live_run.House`. Its clock stands until it is moved; `commit` does what waited for it."""

    def __init__(self) -> None:
        self.journal: Any = Journal()
        self.rung = PIDNS
        self.holders = holders(Found(rung="pidns", user_namespace=True))
        self.short_of_memory = False
        self.left: list[int] = []  # who outlived a kill
        self.leaves_killed: list[LiveRun] = []
        self.stuck: list[tuple[LiveRun, list[int]]] = []
        self.has_children = False
        self.start_timeout_s = 30.0
        self.kill_silence_s = 0.25
        self.batches_in_flight = 2
        self.room: Any = FakeRoom()
        self.figures = Figures()
        self.time_s = 100.0
        self.waiting: list[Callable[[], object]] = []
        self.timers: list[Timer] = []
        self.told: list[ToRun] = []
        self.published: list[tuple[Published, bytes]] = []
        self.spares: list[str] = []  # their runs' ids
        self.forked: list[LiveRun] = []
        self.gone: list[LiveRun] = []
        self.waits: list[tuple[ApprovalRequest, ...]] = []  # what runs waited for, as it changed

    def clock(self) -> float:
        return self.time_s

    def holders_of(self, _agent: str) -> Holders:
        return self.holders

    def kill_leaf(self, run: LiveRun) -> None:
        self.leaves_killed.append(run)

    def left_of(self, _run: LiveRun) -> list[int]:
        return self.left

    def outlived(self, run: LiveRun, pids: list[int]) -> None:
        self.stuck.append((run, pids))

    def quarantined(self, _agent: str) -> str | None:
        return None

    def memory_was_short(self) -> bool:
        return self.short_of_memory

    def now(self) -> float:
        return 1_000_000 + self.time_s

    def after(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        self.timers.append(Timer(self.time_s + delay_s, callback))
        return self.timers[-1]

    def then(self, action: Callable[[], object]) -> None:
        self.waiting.append(action)

    def at_once(self, action: Callable[[], object]) -> None:
        self.then(action)

    def tell(self, route: bytes, message: ToRun) -> None:
        assert route == ROUTE
        self.told.append(message)

    def touched(self, run: LiveRun) -> None:
        run.write()

    def containment_of(self, agent: str) -> Containment:
        return Containment(kill="K3")

    def publish(self, run_id: str, published: Published, blob: bytes) -> None:
        assert run_id == "run_1"
        self.published.append((published, blob))

    def given_to(self, run: LiveRun) -> RunInput:
        return run.given

    def spare_for(self, _agent: str, _limits: dict[str, float]) -> str | None:
        return self.spares.pop() if self.spares else None

    def fork(self, run: LiveRun) -> None:
        self.forked.append(run)

    def admit(self) -> None:
        pass

    def stop_below(self, run: LiveRun, plan: StopPlan) -> None:
        pass

    def holds(self, _run: LiveRun) -> bool:
        return self.has_children

    def again(self, _run: LiveRun, end: Verdict) -> Verdict | None:
        return end

    def ended(self, run: LiveRun) -> None:
        self.gone.append(run)

    def asked(self, run: LiveRun) -> None:
        self.waits.append(run.state.asked)

    # ── what a test does with it ────────────────────────────────────────────────────────────────

    def commit(self) -> None:
        """The end of a turn."""
        while self.waiting:
            actions, self.waiting = self.waiting, []
            for action in actions:
                action()

    def pass_time(self, seconds: float) -> None:
        """Let this much time go by, and the deadlines with it."""
        self.time_s += seconds
        for timer in [timer for timer in self.timers if timer.due <= self.time_s]:
            self.timers.remove(timer)
            if timer.callback is not None:
                timer.callback()
        self.commit()


def queued(house: FakeHouse) -> LiveRun:
    """A run that waits for a slot."""
    record = RunRecord(run_id="run_1", agent="echo", created_at=1.0, updated_at=1.0)
    run = LiveRun(house, 1, record, RunInput(input="hello"))
    run.queued(1)
    return run


def starting(house: FakeHouse, run: LiveRun | None = None) -> LiveRun:
    """A run whose warden was forked: a new one, or this one."""
    run = run or queued(house)
    run.advance(Admitted())
    run.pidfd = PIDFD
    run.advance(WardenForked())
    return run


def running(house: FakeHouse, run: LiveRun | None = None) -> LiveRun:
    """A run whose agent was let go: a new one, or this one."""
    run = starting(house, run)
    run.greeted(ROUTE, Hello("run_1", run.record.attempt, WARDEN, AGENT))
    house.commit()
    return run


def stop(
    run: LiveRun, mode: StopMode = "interrupt", command_id: str = "stop_1", shutdown: bool = False
) -> None:
    """Somebody wants it to end."""
    run.advance(StopWanted(StopPlan(command_id, mode, 5.0, 2.0, shutdown)))


def batch(n: int, count: int = 1, **fields: Any) -> Events:
    """A lawful batch."""
    event = {"event": "message.delta", "timestamp": 1.0, "delta": "x"} | fields
    return Events("run_1", 1, n, count, (json.dumps(event, separators=(",", ":")) + "\n").encode() * count)


def exited(run: LiveRun, **facts: Any) -> None:
    """The warden's last word, and its end."""
    run.recorded(Recorded(a_record(**facts)))
    run.proof = "pidns"
    run.advance(WardenGone())
