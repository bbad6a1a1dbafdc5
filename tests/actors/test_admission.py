"""Which waiting runs may start: by rank, never more than there is room for, and no slot is left unused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runward.actors.admission import (
    Caps,
    Conflict,
    InSession,
    Live,
    Waiting,
    admissible,
    conflict,
    is_full,
    rank,
)


def waits(number: int, agent: str = "a", owner: str = "o", **more: Any) -> Waiting:
    return Waiting(f"run_{number}", agent, owner, (float(number), number), number, **more)


def live(agents: dict[str, int], owners: dict[str, int] | None = None) -> Live:
    held = {"o": sum(agents.values())} if owners is None else owners
    return Live(dict(agents), dict(held), sum(agents.values()))


WAITING = [waits(1, "a"), waits(2, "b"), waits(3, "a"), waits(4, "b")]


@pytest.mark.parametrize(
    ("agents", "max_live", "bounds", "admitted"),
    [
        ({}, 9, {}, [1, 2, 3, 4]),
        ({}, 2, {}, [1, 2]),
        ({"a": 1}, 3, {}, [1, 2]),
        ({"c": 3}, 3, {}, []),
        ({"c": 5}, 3, {}, []),  # a bound that was lowered ends nobody
        ({}, 9, {"a": 1}, [1, 2, 4]),
        ({"a": 1}, 9, {"a": 1}, [2, 4]),  # who waits for his own bound holds up nobody else
        ({"a": 2}, 9, {"a": 1}, [2, 4]),
        ({}, 9, {"a": 0, "b": 1}, [1, 2, 3]),
        ({}, 2, {"a": 1}, [1, 2]),
        ({}, 0, {}, []),
    ],
    ids=repr,
)
def test_these_may_start(
    agents: dict[str, int], max_live: int, bounds: dict[str, int], admitted: list[int]
) -> None:
    found = admissible(WAITING, live(agents), Caps(max_live, bounds))
    assert [run.number for run in found] == admitted


@pytest.mark.parametrize(
    ("of_owner", "per_owner", "admitted"),
    [
        ({}, 0, [1, 2, 3]),
        ({"o": 2}, 0, [1, 3]),
        ({}, 2, [1, 3]),
        ({"o": 3}, 2, [1, 2, 3]),
        ({"p": 0}, 1, [3]),
    ],
)
def test_a_key_at_its_cap_holds_up_no_other(
    of_owner: dict[str, int], per_owner: int, admitted: list[int]
) -> None:
    waiting = [waits(1, owner="o"), waits(2, owner="o"), waits(3, owner="p")]
    found = admissible(waiting, live({"a": 1}, {"o": 1}), Caps(9, {}, of_owner, per_owner))
    assert [run.number for run in found] == admitted


def test_a_child_counts_in_no_key_s_cap() -> None:
    assert admissible([waits(1, owner="")], live({"a": 1}, {"": 5}), Caps(9, {}, {"o": 1}, 1))


def test_agents_that_are_held_back_get_no_slot() -> None:
    assert [run.agent for run in admissible(WAITING, Live(), Caps(9), held_back={"a"})] == ["b", "b"]


@pytest.mark.parametrize(("most", "admitted"), [(None, 4), (0, 0), (3, 3), (9, 4)])
def test_no_more_start_than_there_is_memory_for(most: int | None, admitted: int) -> None:
    assert len(admissible(WAITING, Live(), Caps(9), most=most)) == admitted


def test_nothing_that_is_given_is_changed() -> None:
    held = live({"a": 1})
    admissible(WAITING, held, Caps(9))
    assert held == live({"a": 1})


def test_no_more_of_a_long_queue_is_looked_at_than_there_are_slots() -> None:
    queue = iter([waits(number) for number in range(1000)])
    admissible(queue, Live(), Caps(10))
    assert len(list(queue)) >= 989


names = st.sampled_from("abc")
queues = st.lists(st.tuples(names, names), max_size=12).map(
    lambda kinds: [waits(at, agent, owner) for at, (agent, owner) in enumerate(kinds)]
)
counts = st.dictionaries(names, st.integers(0, 4))
caps = st.builds(Caps, st.integers(0, 12), counts, counts, st.integers(0, 4))


@st.composite
def lives(draw: st.DrawFn) -> Live:
    held = Live()
    for agent, owner in draw(st.lists(st.tuples(names, names), max_size=6)):
        held.add(agent, owner)
    return held


@given(queues, lives(), caps)
def test_the_order_is_kept_the_caps_hold_and_no_slot_is_wasted(
    waiting: list[Waiting], before: Live, most: Caps
) -> None:
    admitted = admissible(waiting, before, most)
    assert admitted == [run for run in waiting if run in admitted]
    after = before.copy()
    for run in admitted:
        after.add(run.agent, run.owner)
    assert after.total <= max(most.max_live, before.total)
    for name in "abc":
        of_agent, of_owner = most.of_agent.get(name, 0), most.of_owner.get(name, 0) or most.per_owner
        assert not of_agent or after.agents.get(name, 0) <= max(of_agent, before.agents.get(name, 0))
        assert not of_owner or after.owners.get(name, 0) <= max(of_owner, before.owners.get(name, 0))
    for run in set(waiting) - set(admitted):
        of_agent = most.of_agent.get(run.agent, 0)
        of_owner = most.of_owner.get(run.owner, 0) or most.per_owner
        assert (
            after.total >= most.max_live
            or 0 < of_agent <= after.agents.get(run.agent, 0)
            or 0 < of_owner <= after.owners.get(run.owner, 0)
        )


@given(queues, lives(), caps)
def test_of_one_agent_and_key_the_first_are_first(waiting: list[Waiting], before: Live, most: Caps) -> None:
    admitted = admissible(waiting, before, most)
    for kind in {(run.agent, run.owner) for run in waiting}:
        own = [run in admitted for run in waiting if (run.agent, run.owner) == kind]
        assert own == sorted(own, reverse=True)


# ── ranks ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("first", "second", "step_s"),
    [
        ((100.0, 1, 0), (100.0, 2, 0), 60.0),  # equals: in the order in which they came
        ((130.0, 2, 1), (100.0, 1, 0), 60.0),  # a step more is worth a minute
        ((100.0, 1, 0), (161.0, 2, 1), 60.0),  # and no more
        ((100.0, 1, 5), (100.0, 2, 5), 60.0),
        ((700.0, 2, 10), (100.0, 1, -10), 60.0),
        ((100.0, 1, -10), (101.0, 2, 10), 0.0),  # no step, no priorities
    ],
)
def test_the_first_of_two_goes_first(
    first: tuple[float, int, int], second: tuple[float, int, int], step_s: float
) -> None:
    assert rank(*first, step_s) < rank(*second, step_s)


@given(
    st.integers(-10, 10), st.integers(-10, 10), st.floats(0, 1e6), st.floats(0, 600), st.floats(0.001, 1e4)
)
def test_who_has_waited_longer_than_any_head_start_goes_before_every_newcomer(
    mine: int, newcomers: int, since: float, step_s: float, longer_s: float
) -> None:
    came = since + (newcomers - mine) * step_s + longer_s
    if came > since:
        assert rank(since, 1, mine, step_s) <= rank(came, 2, newcomers, step_s)


# ── sessions ──────────────────────────────────────────────────────────────────────────────────────────────────────

HEIR, NEXT = waits(2, jumps=True), waits(3)


@pytest.mark.parametrize(
    ("on_conflict", "session", "decided"),
    [
        ("queue", InSession(("run_1",), (NEXT,)), Conflict()),
        ("parallel", InSession(("run_1",), (NEXT,)), Conflict()),
        ("reject", InSession(), Conflict()),
        ("reject", InSession(("run_1",)), Conflict(refused=True)),
        ("reject", InSession((), (NEXT,)), Conflict(refused=True)),
        ("interrupt", InSession(), Conflict()),
        ("interrupt", InSession(("run_1",), (NEXT,)), Conflict(stopped=("run_1",))),
        ("interrupt", InSession(("run_0", "run_1")), Conflict(stopped=("run_0", "run_1"))),
        ("interrupt", InSession(("run_1",), (HEIR, NEXT)), Conflict(stopped=("run_1", "run_2"))),
    ],
)
def test_a_start_in_a_session(on_conflict: Any, session: InSession, decided: Conflict) -> None:
    assert conflict(on_conflict, session) == decided


@pytest.mark.parametrize(
    ("begins", "waiting", "of_owner", "most_of_owner", "full"),
    [
        (False, 4, 0, 0, None),
        (False, 5, 0, 0, "all"),
        (True, 5, 3, 3, None),  # it needs no place
        (False, 4, 3, 3, "owner"),
        (False, 4, 2, 3, None),
        (False, 4, 99, 0, None),
    ],
)
def test_whose_queue_is_full(
    begins: bool, waiting: int, of_owner: int, most_of_owner: int, full: str | None
) -> None:
    assert is_full(begins, waiting, 5, of_owner, most_of_owner) == full
