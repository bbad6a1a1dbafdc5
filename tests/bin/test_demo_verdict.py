"""The demo's judgement: a story as it should be has no complaint, and every way to spoil it has one."""

from collections.abc import Callable
from typing import Any

import pytest

from runward.bin.demo.processes import Sighting
from runward.bin.demo.verdict import CASES, COUNT_TO, GREETING, Case, Story, complaints, model_case

BY_NAME = {case.agent: case for case in [*CASES, model_case("hello")]}
PROVED = {"proof": "pidns", "survivors": []}


def story(text: list[str], end: str, run: dict[str, Any]) -> Story:
    events: list[dict[str, Any]] = [{"event": "run.queued"}, {"event": "run.started", "pid": 7}]
    events += [{"event": "message.delta", "delta": delta} for delta in text]
    events += [{"event": end}]
    for seq, event in enumerate(events, 1):
        event["seq"] = seq
    return Story(events, run, Sighting(7, 1.0))


def good(agent: str) -> Story:
    """The story of this agent as it should be."""
    done = {"status": "completed", "reason": "completed", "exit": dict(PROVED)}
    match agent:
        case "echo":
            return story([GREETING], "run.completed", {**done, "output": GREETING})
        case "count":
            return story([f"{number}\n" for number in range(1, COUNT_TO + 1)], "run.completed", done)
        case "crash":
            died = {"status": "failed", "reason": "signal", "exit": {**PROVED, "signal": "SIGSEGV"}}
            return story([], "run.failed", died)
        case "spin":
            receipt = {**PROVED, "rung": "kill", "took_ms": 3.0}
            return story([], "run.cancelled", {"status": "cancelled", "reason": "killed", "exit": receipt})
    return story(["hi"], "run.completed", done)


@pytest.mark.parametrize("case", BY_NAME.values(), ids=BY_NAME)
def test_a_story_as_it_should_be_has_no_complaint(case: Case) -> None:
    assert complaints(case, good(case.agent)) == []


def lose_an_event(story: Story) -> None:
    del story.events[1]


def end_twice(story: Story) -> None:
    story.events.append(story.events[-1] | {"seq": len(story.events) + 1})


def speak_after_the_end(story: Story) -> None:
    story.events.append({"event": "message.delta", "seq": len(story.events) + 1, "delta": ""})


def never_end(story: Story) -> None:
    story.events.pop()


def stay_alive(story: Story) -> None:
    story.still_alive = True


def tell_no_pid(story: Story) -> None:
    story.process = None


def prove_nothing(story: Story) -> None:
    story.run["exit"]["proof"] = None


def survive(story: Story) -> None:
    story.run["exit"]["survivors"] = [8]


def end_otherwise(story: Story) -> None:
    story.run["reason"] = "lost"


SPOILERS: list[Callable[[Story], None]] = [
    lose_an_event,
    end_twice,
    speak_after_the_end,
    never_end,
    stay_alive,
    tell_no_pid,
    prove_nothing,
    survive,
    end_otherwise,
]


@pytest.mark.parametrize("spoil", SPOILERS)
@pytest.mark.parametrize("case", BY_NAME.values(), ids=BY_NAME)
def test_every_story_is_spoilt_by_what_no_run_may_do(case: Case, spoil: Callable[[Story], None]) -> None:
    spoilt = good(case.agent)
    spoil(spoilt)
    assert complaints(case, spoilt)


def drop_the_last_word(story: Story) -> None:
    story.events[-2]["delta"] = "?"


def swap_two_words(story: Story) -> None:
    story.events[3]["delta"], story.events[4]["delta"] = story.events[4]["delta"], story.events[3]["delta"]


def answer_otherwise(story: Story) -> None:
    story.run["output"] = "?"


def die_of_a_kill(story: Story) -> None:
    story.run["exit"]["signal"] = "SIGKILL"


def be_terminated(story: Story) -> None:
    story.run["exit"]["rung"] = "terminate"


def say_nothing(story: Story) -> None:
    story.events[2]["delta"] = " "


@pytest.mark.parametrize(
    ("agent", "spoil"),
    [
        ("echo", drop_the_last_word),
        ("echo", answer_otherwise),
        ("count", drop_the_last_word),
        ("count", swap_two_words),
        ("crash", die_of_a_kill),
        ("spin", be_terminated),
        ("smollm", say_nothing),
    ],
)
def test_each_agent_has_its_own_way_to_fail(agent: str, spoil: Callable[[Story], None]) -> None:
    spoilt = good(agent)
    spoil(spoilt)
    assert complaints(BY_NAME[agent], spoilt)
