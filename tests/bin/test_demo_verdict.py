"""The demo's judgement: a story as it should be has no complaint, and every way to spoil it has one."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from runward.bin.demo.processes import Sighting
from runward.bin.demo.verdict import CASES, COUNT_TO, GREETING, Case, Story, complaints, model_case
from runward.http.api_types import Event, RunInfo

BY_NAME = {case.agent: case for case in [*CASES, model_case("hello")]}
PROVED = {"proof": "pidns", "survivors": []}
NAMED = {"run_id": "run_1", "agent": "x", "created_at": 1.0}


def story(text: list[str], end: str, run: dict[str, Any]) -> Story:
    told: list[tuple[str, dict[str, Any]]] = [("run.queued", {}), ("run.started", {"pid": 7})]
    told += [("message.delta", {"delta": delta}) for delta in text]
    told += [(end, {})]
    events = [Event(name, "run_1", seq, 1.0, fields) for seq, (name, fields) in enumerate(told, 1)]
    return Story(events, msgspec.convert(NAMED | run, RunInfo), Sighting(7, 1.0))


def change(story: Story, **fields: Any) -> None:
    """Of the run object."""
    assert story.run is not None
    story.run = msgspec.structs.replace(story.run, **fields)


def change_receipt(story: Story, **fields: Any) -> None:
    change(story, exit=msgspec.structs.replace(story.receipt, **fields))


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
    story.events.append(msgspec.structs.replace(story.events[-1], seq=len(story.events) + 1))


def speak_after_the_end(story: Story) -> None:
    story.events.append(Event("message.delta", "run_1", len(story.events) + 1, 1.0, {"delta": ""}))


def never_end(story: Story) -> None:
    story.events.pop()


def stay_alive(story: Story) -> None:
    story.still_alive = True


def tell_no_pid(story: Story) -> None:
    story.process = None


def prove_nothing(story: Story) -> None:
    change_receipt(story, proof=None)


def survive(story: Story) -> None:
    change_receipt(story, survivors=[8])


def end_otherwise(story: Story) -> None:
    change(story, reason="lost")


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
    story.events[-2].fields["delta"] = "?"


def swap_two_words(story: Story) -> None:
    first, second = story.events[3].fields, story.events[4].fields
    first["delta"], second["delta"] = second["delta"], first["delta"]


def answer_otherwise(story: Story) -> None:
    change(story, output="?")


def die_of_a_kill(story: Story) -> None:
    change_receipt(story, signal="SIGKILL")


def be_terminated(story: Story) -> None:
    change_receipt(story, rung="terminate")


def say_nothing(story: Story) -> None:
    story.events[2].fields["delta"] = " "


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
