"""What a request may make of its agent's limits, and what is said of who holds them."""

import math
from dataclasses import dataclass

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runward.actors import limits
from runward.actors.records import Containment, Reason
from runward.config.sections import Limits

NAMES = Limits.__struct_fields__
WHOLE = ("memory_bytes", "pids", "output_bytes", "work_folder_bytes")
NONE = Limits(**dict.fromkeys(NAMES, 0))
AGENT = Limits(
    memory_bytes=1000, cpu_s=10.0, wall_s=60.0, idle_s=30.0, pids=8, output_bytes=500, work_folder_bytes=900
)


@dataclass(frozen=True)
class Said:
    """A request's limits, and what is said to them."""

    asked: dict[str, float]
    told: str


def test_an_agent_without_limits_and_a_request_without_any_make_none() -> None:
    assert limits.tightened(NONE, {}) == {}


def test_what_a_request_does_not_name_is_its_agents() -> None:
    assert limits.tightened(AGENT, {}) == msgspec.structs.asdict(AGENT)


@pytest.mark.parametrize("name", NAMES)
def test_a_request_may_tighten_every_limit_and_set_one_where_there_is_none(name: str) -> None:
    assert limits.tightened(AGENT, {name: 2})[name] == 2
    assert limits.tightened(NONE, {name: 2}) == {name: 2}


@pytest.mark.parametrize("name", NAMES)
def test_the_agents_own_limit_may_be_asked_for(name: str) -> None:
    own = getattr(AGENT, name)
    assert limits.tightened(AGENT, {name: own})[name] == own


@pytest.mark.parametrize("name", NAMES)
def test_no_limit_may_be_asked_for_where_there_is_none(name: str) -> None:
    assert limits.tightened(NONE, {name: 0}) == {}


REFUSED = [
    *(Said({name: getattr(AGENT, name) + 1}, "may only tighten") for name in NAMES),
    *(Said({name: 0}, "may only tighten") for name in NAMES),
    *(Said({name: -1}, "from 0 up") for name in NAMES),
    *(Said({name: math.nan}, "from 0 up") for name in NAMES),
    *(Said({name: math.inf}, "from 0 up") for name in NAMES),
    *(Said({name: True}, "from 0 up") for name in NAMES),
    *(Said({name: 1.5}, "whole") for name in WHOLE),
    Said({"walls": 1}, "is no limit; there are memory_bytes, cpu_s"),
    Said({"": 1}, "is no limit"),
    Said({"wall_s": 1, "cpu": 1}, "is no limit"),
]


@pytest.mark.parametrize("said", REFUSED, ids=lambda said: f"{said.asked}")
def test_a_looser_an_unknown_and_a_senseless_limit_are_refused_by_name(said: Said) -> None:
    with pytest.raises(ValueError, match=said.told) as refused:
        limits.tightened(AGENT, said.asked)
    assert f"'limits.{list(said.asked)[-1]}'" in str(refused.value)


anything = st.floats() | st.integers(-5, 2000) | st.booleans()


@given(
    agent=st.builds(Limits, **{name: st.integers(0, 100) for name in NAMES}),
    asked=st.dictionaries(st.sampled_from(NAMES), anything),
)
def test_whatever_is_asked_no_limit_gets_looser_and_none_is_lost(
    agent: Limits, asked: dict[str, float]
) -> None:
    try:
        allowed = limits.tightened(agent, asked)
    except ValueError:
        return
    assert all(0 < limit < math.inf for limit in allowed.values())
    for name in NAMES:
        own, wanted = getattr(agent, name), asked.get(name, 0)
        bounds = [bound for bound in (own, wanted) if bound]
        assert allowed.get(name) == (min(bounds) if bounds else None)


def test_what_a_warden_holds_is_applied_and_the_rest_is_missing() -> None:
    everywhere = Containment("K3", {"network": "netns"}, ["K4 cgroup: no"])
    held = limits.containment(everywhere, limits.tightened(AGENT, {}))
    assert held.kill == "K3"
    assert held.applied == {
        "network": "netns", "wall": "warden", "idle": "warden", "output": "warden", "cpu": "warden"
    }  # fmt: skip
    assert held.missing == [
        "K4 cgroup: no",
        "memory: nothing here holds memory_bytes",
        "pids: nothing here holds pids",
        "work_folder: nothing here holds work_folder_bytes",
    ]


def test_a_run_without_limits_is_held_as_every_run() -> None:
    everywhere = Containment("K3", {"network": "netns"}, ["K4 cgroup: no"])
    assert limits.containment(everywhere, {}) == everywhere


def test_every_limit_is_held_by_the_warden_or_said_to_be_missing() -> None:
    for name in NAMES:
        held = limits.containment(Containment(), {name: 1.0})
        assert len(held.applied) + len(held.missing) == 1


@pytest.mark.parametrize("name", limits.BY_WARDEN)
def test_a_limit_that_the_warden_holds_has_a_reason_named_for_its_axis(name: str) -> None:
    assert limits.reason_of(name).value == Reason(f"{limits.axis(name)}_limit").value


@given(st.floats(0, 1e9), st.integers(1, 512))
def test_a_look_comes_before_all_cpus_together_can_go_far_over_the_limit(left_s: float, cpus: int) -> None:
    look_s = limits.next_look_s(left_s, cpus)
    assert look_s >= 0.02
    assert look_s * cpus <= max(left_s * 1.000001, 0.02 * cpus)
