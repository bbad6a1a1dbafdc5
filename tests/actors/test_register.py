"""Queue, slots and sessions against a simple model, with supervisors that come and go between any two steps."""

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from runward.actors.admission import Caps, InSession
from runward.actors.live_run import LiveRun
from runward.actors.records import RunInput, RunRecord
from runward.actors.register import Register

from .houses import FakeHouse

CAPS = Caps(max_live=3, of_agent={"a": 1}, of_owner={"bob": 1}, per_owner=2)
STEP_S = 60.0
CONFLICTS = ["", "", "parallel", "interrupt"]


def a_run(number: int, agent: str = "a", owner: str = "alice", **fields: Any) -> LiveRun:
    at = fields.pop("created_at", 1000.0 + number)
    record = RunRecord(
        run_id=f"run_{number}", agent=agent, owner=owner, created_at=at, updated_at=at, **fields
    )
    return LiveRun(FakeHouse(), number, record, RunInput(input="x"))


class Model(RuleBasedStateMachine):
    """Runs come, begin, rest between attempts, and end."""

    def __init__(self) -> None:
        super().__init__()
        self.register = Register(CAPS, STEP_S)
        self.numbers = itertools.count(1)
        self.now = 1000.0
        self.waiting: dict[str, LiveRun] = {}
        self.live: dict[str, LiveRun] = {}
        self.resting: dict[str, LiveRun] = {}

    @rule(
        agent=st.sampled_from("ab"),
        owner=st.sampled_from(["alice", "bob"]),
        session_id=st.sampled_from([None, "s", "t"]),
        on_conflict=st.sampled_from(CONFLICTS),
        priority=st.integers(-10, 10),
        after_s=st.sampled_from([0.0, 1.0, 100.0, 2000.0]),
    )
    def start(self, after_s: float, **fields: Any) -> None:
        self.now += after_s
        run = a_run(next(self.numbers), created_at=self.now, **fields)
        heeded = self.in_session(run) if fields["on_conflict"] != "parallel" else InSession()
        begins = self.register.begins_at_once(run.record.owner, run.record.agent, heeded)
        self.waiting[run.record.run_id] = run
        assert 1 <= self.register.enter(run) <= len(self.waiting)
        self.admit()
        has_begun = run.record.run_id in self.live
        # An interrupt also overtakes those of its session that wait for something else.
        assert begins <= has_begun if fields["on_conflict"] == "interrupt" else begins == has_begun

    @precondition(lambda self: self.live)
    @rule(data=st.data(), priority=st.integers(-10, 10))
    def spawn(self, data: st.DataObject, priority: int) -> None:
        """A child of a live run: it waits for no turn, and counts in no key's cap. Its agent may have none either."""
        parent = data.draw(st.sampled_from(sorted(self.live)))
        owner = self.live[parent].record.owner
        fields = {"parent_run_id": parent, "on_conflict": "parallel", "priority": priority}
        run = a_run(next(self.numbers), "b", owner, created_at=self.now, **fields)
        begins = self.register.begins_at_once("", "b", InSession(), parent)
        self.waiting[run.record.run_id] = run
        self.register.enter(run)
        self.admit()
        assert begins == (run.record.run_id in self.live)

    def childless(self) -> list[str]:
        """A run ends after its children."""
        everybody = [*self.waiting.values(), *self.live.values(), *self.resting.values()]
        return sorted(set(self.live) - {run.record.parent_run_id for run in everybody})

    def in_session(self, run: LiveRun) -> InSession:
        return self.register.in_session(run.record.owner, run.record.session_id)

    def admit(self) -> None:
        for run in self.register.admit():
            record = run.record
            if record.on_conflict != "parallel" and record.session_id is not None and record.attempt == 1:
                self.has_the_turn(run)
            self.live[record.run_id] = self.waiting.pop(record.run_id)

    def has_the_turn(self, run: LiveRun) -> None:
        """Nobody of its session has one, and of those that wait for it, it is next."""
        begun = [*self.live.values(), *self.resting.values()]
        begun += [each for each in self.waiting.values() if each.record.attempt > 1]
        assert not [each for each in begun if same_session(each, run)]
        for each in self.waiting.values():
            heeds = each.record.on_conflict != "parallel" and each.record.attempt == 1
            if each is not run and heeds and same_session(each, run):
                assert place(run) < place(each), "in the order of arrival, but for an interrupt"

    @precondition(lambda self: self.childless())
    @rule(data=st.data(), rests=st.booleans())
    def end(self, data: st.DataObject, rests: bool) -> None:
        run = self.live.pop(data.draw(st.sampled_from(self.childless())))
        self.register.leave(run)
        if rests:
            run.record.attempt += 1
            self.register.rest(run)
            self.resting[run.record.run_id] = run
        self.admit()

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def stop_waiting(self, data: st.DataObject) -> None:
        self.register.leave(self.waiting.pop(data.draw(st.sampled_from(sorted(self.waiting)))))
        self.admit()

    @precondition(lambda self: self.resting)
    @rule(data=st.data())
    def begin_again(self, data: st.DataObject) -> None:
        run = self.resting.pop(data.draw(st.sampled_from(sorted(self.resting))))
        self.waiting[run.record.run_id] = run
        self.register.enter(run)
        self.admit()

    @rule()
    def crash(self) -> None:
        """The next supervisor reads who there is, the oldest first."""
        before = self.order()
        self.register = Register(CAPS, STEP_S)
        unended = [*self.waiting.values(), *self.live.values(), *self.resting.values()]
        for run in sorted(unended, key=lambda each: each.key):
            if run.record.run_id in self.waiting:
                self.register.enter(run)
            elif run.record.run_id in self.live:
                self.register.readmit(run)
            else:
                self.register.rest(run)
        assert self.order() == before
        waited = len(self.waiting)
        self.admit()
        has_children = any(each.record.parent_run_id for each in unended)
        # Nobody gains by it, but where another child uses its parent's slot now.
        assert has_children or len(self.waiting) == waited

    def order(self) -> list[tuple[str, int]]:
        """Who is ready to start, and where everybody stands."""
        queue = self.register._queue
        ready = [(each.run_id, 0) for each in queue.ready()]
        return [*ready, *((run_id, queue.position(run_id)) for run_id in sorted(self.waiting))]

    @invariant()
    def the_caps_hold(self) -> None:
        live = [run.record for run in self.live.values()]
        lent = {each.parent_run_id for each in live} - {None}
        assert len(live) - len(lent) <= CAPS.max_live
        assert sum(each.agent == "a" for each in live) <= 1
        live = [each for each in live if each.parent_run_id is None]
        assert sum(each.owner == "alice" for each in live) <= CAPS.per_owner
        assert sum(each.owner == "bob" for each in live) <= 1

    @invariant()
    def whoever_may_start_has_started(self) -> None:
        assert list(self.register.admit()) == []
        assert {run.record.run_id for run in self.register.holders()} == set(self.live)
        assert self.register.waiting == len(self.waiting) + len(self.resting)

    def teardown(self) -> None:
        """Whoever waits comes to his turn."""
        while self.live or self.waiting or self.resting:
            for run_id in sorted(self.resting):
                run = self.resting.pop(run_id)
                self.waiting[run_id] = run
                self.register.enter(run)
            self.admit()
            assert self.live, "somebody waits, and nobody is there for whom"
            for run_id in self.childless():
                self.register.leave(self.live.pop(run_id))
            self.admit()
        assert not len(self.register)


def same_session(one: LiveRun, other: LiveRun) -> bool:
    mine, others = one.record, other.record
    return mine.session_id is not None and (mine.owner, mine.session_id) == (others.owner, others.session_id)


def place(run: LiveRun) -> tuple[bool, int]:
    return run.record.on_conflict != "interrupt", run.key


def test_whatever_comes_and_goes_the_rules_hold() -> None:
    suppressed = list(HealthCheck)
    run_state_machine_as_test(
        Model,
        settings=settings(
            max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=suppressed
        ),
    )


@pytest.mark.slow
def test_the_same_for_long() -> None:
    suppressed = list(HealthCheck)
    run_state_machine_as_test(
        Model,
        settings=settings(
            max_examples=2000, stateful_step_count=30, deadline=None, suppress_health_check=suppressed
        ),
    )


def _served(waiting: list[LiveRun], caps: Caps) -> list[str]:
    """In which order they begin, where each ends as soon as it has begun."""
    register = Register(caps, STEP_S)
    for run in waiting:
        register.enter(run)
    served = []
    while admitted := list(register.admit()):
        for run in admitted:
            served.append(run.record.run_id)
            register.leave(run)
    return served


def test_the_higher_priority_goes_first_and_equals_in_the_order_in_which_they_came() -> None:
    waiting = [a_run(number, priority=priority) for number, priority in enumerate([0, 5, 0, 5, -5], 1)]
    assert _served(waiting, Caps(1)) == ["run_2", "run_4", "run_1", "run_3", "run_5"]


def test_in_a_session_nobody_overtakes_and_an_interrupt_is_next() -> None:
    waiting = [
        a_run(1, session_id="s"),
        a_run(2, session_id="s", priority=10),
        a_run(3, session_id="s", on_conflict="interrupt", priority=-10),
        a_run(4, session_id="s", on_conflict="parallel"),
        a_run(5, owner="bob", session_id="s", priority=1),  # another one's
    ]
    assert _served(waiting, Caps(1)) == ["run_5", "run_4", "run_3", "run_1", "run_2"]


def test_one_that_waits_low_in_priority_begins_though_high_ones_keep_coming() -> None:
    register = Register(Caps(1), STEP_S)
    register.enter(a_run(1, priority=0, created_at=0.0))
    (live,) = register.admit()
    register.enter(a_run(2, priority=-10, created_at=1.0))
    longest_s = 20 * STEP_S
    for number in itertools.count(3):
        came = float(number)
        register.enter(a_run(number, priority=10, created_at=came))
        register.leave(live)
        (live,) = register.admit()
        if live.record.run_id == "run_2":
            break
        assert came <= 1.0 + longest_s + 1
    assert came >= longest_s, "and not before"


def test_a_position_counts_those_that_go_before() -> None:
    register = Register(Caps(0), STEP_S)
    positions = [
        register.enter(a_run(1)),
        register.enter(a_run(2, session_id="s")),
        register.enter(a_run(3, priority=1)),
        register.enter(a_run(4, session_id="s", on_conflict="interrupt")),
        register.enter(a_run(5, session_id="s")),
    ]
    assert positions == [1, 2, 1, 3, 5]


class ShutGate:
    """With room for so many."""

    def __init__(self, room: int) -> None:
        self.left = room

    def room(self) -> int:
        return self.left

    def took(self, runs: int) -> None:
        self.left -= runs

    def why_shut(self) -> str | None:
        return None if self.left else "shut"


def test_no_more_begin_than_the_gate_has_room_for() -> None:
    register = Register(Caps(9), STEP_S, ShutGate(2))
    for number in (1, 2, 3):
        register.enter(a_run(number, agent="b"))
    assert [run.key for run in register.admit()] == [1, 2]
    assert list(register.admit()) == []
    assert not register.begins_at_once("bob", "b", InSession())
