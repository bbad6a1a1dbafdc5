"""What a program may say, as pure tables: results, deltas, and what is made of them at the end."""

import json
from typing import Any

import pytest

from runward.actors.command_lines import CommandIntake, intake_for, start_for
from runward.actors.intake import DEEPEST, LONGEST_JOINED, Intake, Taken
from runward.actors.messages.from_run import Claim
from runward.actors.messages.with_agent import Start
from runward.actors.records import RunInput, Usage
from runward.config.settings import AgentSpec

LONGEST_EVENT = 4096
COMMAND = AgentSpec(name="c", command=("true",), options={"colour": "red"})
PYTHON = AgentSpec(name="p", entrypoint="a.py:b")


def _told(*lines: object) -> tuple[CommandIntake, Taken]:
    """An intake that was fed these, as JSON or as they are, and what it took of them."""
    intake = CommandIntake(LONGEST_EVENT)
    texts = (each if isinstance(each, str) else json.dumps(each) for each in lines)
    return intake, intake.feed("".join(f"{text}\n" for text in texts).encode(), 1.0)


def _account(*lines: object) -> Claim:
    return _told(*lines)[0].account()


def _delta(text: str) -> dict[str, str]:
    return {"event": "message.delta", "delta": text}


def _why(line: object) -> str:
    (refused,) = _told(line)[1].refused
    return refused.why


def test_only_a_command_is_heard_as_one() -> None:
    assert isinstance(intake_for(COMMAND, 1), CommandIntake)
    assert type(intake_for(PYTHON, 1)) is Intake


def test_only_a_command_is_told_in_its_own_words() -> None:
    given = RunInput(input="go")
    assert start_for(PYTHON, "run_1", given) == Start(given)
    told = start_for(COMMAND, "run_1", given)
    assert not isinstance(told, Start)
    assert (told.run_id, told.session_id, told.options) == ("run_1", "run_1", {"colour": "red"})


@pytest.mark.parametrize("output", [0, "", "text", False, [], {"a": [1, None]}, 1.5])
def test_a_result_is_any_json(output: Any) -> None:
    assert json.loads(_account({"output": output}).output) == output


def test_a_result_of_null_is_no_output_and_no_deltas_either() -> None:
    assert _account(_delta("a"), {"output": None}).output == b""


def test_without_a_word_there_is_no_output() -> None:
    assert _account() == Claim(kind="completed")


def test_a_result_outlasts_deltas_before_and_after_it() -> None:
    assert _account(_delta("a"), {"output": 1}, _delta("b")).output == b"1"


def test_usage_is_that_of_the_last_result() -> None:
    usage = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    assert _account({"output": 1, "usage": usage}).usage == Usage(1, 2, 3)
    assert _account({"output": 1, "usage": usage}, {"output": 2}).usage is None


def test_a_result_is_no_event() -> None:
    _, taken = _told({"output": 1}, _delta("a"))
    assert (taken.count, taken.refused) == (1, [])


def test_an_event_may_have_a_field_named_output() -> None:
    intake, taken = _told({"event": "step.done", "output": 1})
    assert taken.count == 1
    assert intake.account().output == b""


def test_deltas_are_joined_over_chunks_and_across_them() -> None:
    intake = CommandIntake(LONGEST_EVENT)
    text = "".join(json.dumps(_delta(each)) + "\n" for each in ("a", "é", "\r\n")).encode()
    for at in range(len(text)):
        intake.feed(text[at : at + 1], 1.0)
    assert json.loads(intake.account().output) == "aé\r\n"


@pytest.mark.parametrize(("length", "kept"), [(1000, True), (LONGEST_EVENT, False)])
def test_joined_deltas_are_an_output_if_they_fit_in_an_event(length: int, kept: bool) -> None:
    deltas = [_delta("x" * 100)] * (length // 100) + [_delta("x" * (length % 100))]
    assert bool(_account(*deltas).output) is kept


def test_no_more_deltas_are_held_than_an_output_may_have() -> None:
    intake = CommandIntake(LONGEST_JOINED * 4)
    line = json.dumps(_delta("x" * 1024)).encode() + b"\n"
    for _ in range(LONGEST_JOINED // 1024):
        intake.feed(line, 1.0)
    assert len(json.loads(intake.account().output)) == LONGEST_JOINED
    intake.feed(line, 1.0)
    assert intake.account().output == b""


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ({"output": 1, "error": "none"}, "not a result: Object contains unknown field `error`"),
        ({"output": 1, "usage": {"input_tokens": -1}}, "not a result: Expected `int` >= 0"),
        ({"output": "x" * LONGEST_EVENT}, f"an event is longer than {LONGEST_EVENT} bytes"),
        ({"claim": "completed", "output": 1}, "a program says how it ended by its exit code"),
        ({"claim": "nonsense"}, "not a claim"),
        ({"usage": {}}, "an event needs a name"),
        ("Loading…", "not JSON"),
        ("", "not JSON"),
        ([1], "not a JSON object"),
        ('{"output": ' + "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1) + "}", f"nested deeper than {DEEPEST}"),
    ],
)
def test_what_is_no_result_is_refused_and_leaves_none(line: object, why: str) -> None:
    assert why in _why(line)
    assert _account(line).output == b""


def test_a_start_that_failed_is_the_one_claim_that_counts() -> None:
    _, taken = _told({"claim": "start_failed", "error": "why"})
    assert taken.claim == Claim(kind="start_failed", error="why")


def test_a_last_line_is_finished_only_where_there_is_one() -> None:
    intake = CommandIntake(LONGEST_EVENT)
    assert intake.unfinished() == b""
    intake.feed(b'{"output": 1}', 1.0)
    intake.feed(intake.unfinished(), 1.0)
    assert intake.unfinished() == b""
    assert intake.account().output == b"1"
