"""What a warden makes of its agent's wishes: which it asks for, what it answers, and what it asks for again."""

import json
from typing import Any

import pytest

from runward.actors.children import OWED_BYTES, Children, Pace
from runward.actors.messages.from_run import AskChild, SpawnRun
from runward.actors.messages.to_run import ChildGone, NotSpawned, Spawned
from runward.actors.messages.with_agent import ChildEnded, ChildRefused, ChildStarted
from runward.actors.records import Usage
from runward.config.sections import AgentSpec, RunsSettings


class Warden:
    """Its children, and what was said to whom."""

    def __init__(self, most: int = 3) -> None:
        self.told: list[SpawnRun | AskChild] = []
        self.answers: list[ChildStarted | ChildRefused | ChildEnded] = []
        self.owed = 0
        self.time_s = 10.0
        spec = AgentSpec(name="lead", entrypoint="a:b", spawn=("leaf",))
        runs = RunsSettings(max_children=most, max_spawns_per_s=1.0)
        self.children = Children(
            *("run_1", 1, spec, runs, lambda: self.time_s),
            tell=self.told.append,
            answer=self.answers.append,
            owed=lambda: self.owed,
        )

    def wish(self, **line: Any) -> str | None:
        return self.children.wish(json.dumps(line).encode())

    def born(self, number: int = 1) -> None:
        """A child, as far as the agent is told of it."""
        self.wish(spawn=f"k{number}", agent="leaf", input="x")
        self.children.hear(Spawned(number, f"run_c{number}"))
        assert self.answers.pop() == ChildStarted(f"k{number}", f"run_c{number}")


def _gone(child: str, output: bytes = b'"done"') -> ChildGone:
    return ChildGone(child, "completed", "completed", output, None, Usage())


def test_a_wish_is_asked_for_under_a_number_of_its_own_and_answered_under_the_agents_key() -> None:
    warden = Warden()
    warden.wish(spawn="mine", agent="leaf", input="x", limits={"pids": 3})
    [asked] = warden.told
    assert isinstance(asked, SpawnRun)
    assert (asked.n, asked.agent, asked.given.input, asked.limits) == (1, "leaf", "x", {"pids": 3})
    warden.children.hear(Spawned(1, "run_c1"))
    warden.children.hear(Spawned(1, "run_c1"))  # said again by a supervisor that came later
    assert warden.answers == [ChildStarted("mine", "run_c1")]
    warden.children.hear(_gone("run_c1"))
    warden.children.hear(_gone("run_c1"))
    [_, ended] = warden.answers
    assert isinstance(ended, ChildEnded)
    assert (ended.run_id, bytes(ended.output)) == ("run_c1", b'"done"')


def test_a_supervisor_that_is_new_is_asked_for_all_that_was_not_answered() -> None:
    warden = Warden()
    warden.born(1)
    warden.wish(spawn="k2", agent="leaf", input="y")
    warden.wish(stop_child="run_c1")
    assert list(warden.children.unanswered()) == [warden.told[1], AskChild("run_1", 1, "run_c1", 1)]
    warden.children.hear(NotSpawned(2, "queue_full", "later"))
    warden.children.hear(_gone("run_c1"))
    assert list(warden.children.unanswered()) == []


def test_a_child_is_stopped_once_for_each_rung() -> None:
    warden = Warden()
    warden.born()
    for _ in range(5):
        assert warden.wish(stop_child="run_c1") is None
    stops = [asked.stops for asked in warden.told if isinstance(asked, AskChild)]
    assert stops == [1, 2, 3]
    assert warden.wish(stop_child="run_other") == "'run_other' is no live child of this run"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ({"agent": "other", "input": "x"}, "spawn_not_allowed"),
        ({"agent": "leaf", "input": ""}, "invalid_value"),
        ({"agent": "leaf"}, "invalid_value"),
        ({"agent": "leaf", "input": "x", "limits": {"pids": "many"}}, "invalid_value"),
        ({"agent": "leaf", "input": "x", "parent_run_id": "run_2"}, "invalid_value"),
        ({"agent": "leaf", "input": "x", "history": [{"n": 2**70}]}, "invalid_value"),
        ({"agent": "leaf", "input": "x", "metadata": {"a": "b" * 20_000}}, "invalid_value"),
    ],
)
def test_a_wish_that_may_not_be_is_refused_here(line: dict[str, Any], code: str) -> None:
    warden = Warden()
    warden.wish(spawn="k", **line)
    [refused] = warden.answers
    assert isinstance(refused, ChildRefused)
    assert (refused.key, refused.code) == ("k", code)
    assert warden.told == []


def test_a_line_without_a_key_is_no_wish() -> None:
    warden = Warden()
    for key in ("", "k" * 65, 7, None):
        assert warden.wish(spawn=key, agent="leaf", input="x") is not None
    assert (warden.told, warden.answers) == ([], [])


def test_live_children_and_those_asked_for_are_bounded_together() -> None:
    warden = Warden(most=2)
    warden.born(1)
    warden.wish(spawn="k2", agent="leaf", input="x")
    warden.wish(spawn="k3", agent="leaf", input="x")
    assert [answer.code for answer in warden.answers if isinstance(answer, ChildRefused)] == ["tree_full"]


def test_who_asks_too_fast_is_refused_until_time_has_passed() -> None:
    warden = Warden(most=2)
    for number in (1, 2):
        warden.born(number)
        warden.children.hear(_gone(f"run_c{number}"))
    warden.answers.clear()
    warden.wish(spawn="k3", agent="leaf", input="x")
    [refused] = warden.answers
    assert isinstance(refused, ChildRefused)
    assert refused.code == "spawning_too_fast"
    warden.time_s += 1.0
    warden.born(3)


def test_the_pace_saves_up_no_more_than_a_burst() -> None:
    pace = Pace(2, 1.0, 0.0)
    assert [pace.allows(100.0) for _ in range(3)] == [True, True, False]
    assert [pace.allows(100.5), pace.allows(101.0)] == [False, True]


def test_an_agent_that_does_not_listen_is_owed_no_more_outputs() -> None:
    warden = Warden()
    warden.born()
    warden.owed = OWED_BYTES + 1
    warden.children.hear(_gone("run_c1"))
    [ended] = warden.answers
    assert isinstance(ended, ChildEnded)
    assert bytes(ended.output) == b"null"
    assert ended.error is not None
