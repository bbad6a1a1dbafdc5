"""What a request may make of its agent's limits, and what is said of who holds them."""

import math
from dataclasses import dataclass

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runward.actors import limits
from runward.actors.containment.findings import Found, Place
from runward.actors.containment.holders import holders
from runward.actors.records import Containment, LimitReason
from runward.config.sections import Limits

NAMES = Limits.__struct_fields__
WHOLE = tuple(name for name in NAMES if not name.endswith("_s"))
NONE = Limits(**dict.fromkeys(NAMES, 0))
AGENT = Limits(**{name: 10 + place for place, name in enumerate(NAMES)})
HOLDERS = {"memory_bytes": "cgroup", "open_files": "rlimit", "wall_s": "warden", "output_events": "warden"}
WITH_CGROUPS = Found(rung="cgroup", places=(Place(2, "/x", ("memory", "pids", "cpu")),))
GAPS = {"pids": "pids: nothing holds it"}


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


def test_what_somebody_holds_is_applied_and_what_nobody_does_is_missing() -> None:
    everywhere = Containment("K3", {"network": "netns"}, ["K4 cgroup: no"])
    held = limits.containment(everywhere, {**dict.fromkeys(HOLDERS, 1.0), "pids": 1.0}, HOLDERS, GAPS)
    assert held.kill == "K3"
    assert held.applied == {
        "network": "netns", "memory": "cgroup", "open_files": "rlimit", "wall": "warden", "output_events": "warden"
    }  # fmt: skip
    assert held.missing == ["K4 cgroup: no", "pids: nothing holds it"]


def test_what_is_held_less_well_is_applied_and_said() -> None:
    held = limits.containment(
        Containment(), {"memory_bytes": 1.0}, {"memory_bytes": "warden"}, {"memory_bytes": "x"}
    )
    assert (held.applied, held.missing) == ({"memory": "warden"}, ["x"])


def test_a_run_without_limits_is_held_as_every_run() -> None:
    everywhere = Containment("K3", {"network": "netns"}, ["K4 cgroup: no"])
    assert limits.containment(everywhere, {}, HOLDERS, GAPS) == everywhere


def test_each_holder_is_told_of_what_it_holds() -> None:
    given = {"memory_bytes": 1.0, "wall_s": 2.0, "open_files": 3.0, "pids": 4.0}
    assert limits.held_by("warden", given, HOLDERS) == {"wall_s": 2.0}
    assert limits.held_by("rlimit", given, HOLDERS) == {"open_files": 3.0}


@pytest.mark.parametrize(
    "found", [Found(rung="pidns"), Found(rung="pidns", user_namespace=True), WITH_CGROUPS]
)
def test_on_every_machine_every_limit_is_held_or_said_to_be_missing(found: Found) -> None:
    here = holders(found)
    assert set(here.limits) | set(here.gaps) == set(NAMES)
    assert all(gap.startswith(f"{limits.axis(name)}: ") for name, gap in here.gaps.items())


def test_without_cgroups_the_processes_of_a_user_are_limited_where_a_run_has_one_of_its_own() -> None:
    assert "pids" in holders(Found(rung="uid")).gaps
    assert holders(Found(rung="uid"), own_users=True).limits["pids"] == "rlimit"
    assert "pids" not in holders(Found(rung="uid"), own_users=True).gaps


def test_a_breach_has_a_reason_unless_the_kernel_only_refuses_a_call() -> None:
    here = holders(Found(rung="pidns"))
    by_warden = {name for name, holder in here.limits.items() if holder == "warden"}
    assert {limits.reason_of(name) for name in by_warden} <= {
        LimitReason(reason.value) for reason in LimitReason
    }
    for name in ("pids", "open_files", "file_bytes"):
        with pytest.raises(KeyError):
            limits.reason_of(name)


@given(st.floats(0, 1e9), st.integers(1, 512))
def test_a_look_comes_before_all_cpus_together_can_go_far_over_the_limit(left_s: float, cpus: int) -> None:
    look_s = limits.next_look_s(left_s, cpus)
    assert look_s >= 0.02
    assert look_s * cpus <= max(left_s * 1.000001, 0.02 * cpus)


@given(st.floats(0, 1e12), st.integers(1, 512))
def test_a_look_at_memory_comes_before_all_cpus_can_have_filled_what_is_left(left: float, cpus: int) -> None:
    look_s = limits.next_memory_look_s(left, cpus)
    assert look_s >= 0.02
    assert look_s == 0.02 or look_s * cpus * 2e9 <= left * 1.000001
