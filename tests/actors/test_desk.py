"""What an agent may ask people, and what it is told: every bound, and each thing once."""

import json
from typing import Any

import pytest

from runward.actors.desk import (
    LONGEST_PROMPT,
    LONGEST_REQUEST_BYTES,
    OUTCOMES_KEPT,
    Desk,
    questions,
)
from runward.actors.intake import Intake, Taken, lawful
from runward.actors.messages.to_run import Answer
from runward.actors.messages.with_agent import Approval
from runward.actors.records import MOST_OPEN

NOW = 1000.0


def said(intake: Intake, line: Any) -> Taken:
    return intake.feed(json.dumps(line).encode() + b"\n", NOW)


def events(taken: Taken) -> list[Any]:
    return [json.loads(line) for line in taken.blob.splitlines()]


def an_intake(desk: Desk | None = None, max_event_bytes: int = 1_048_576) -> Intake:
    return Intake(max_event_bytes, desk or Desk(1, 300.0))


def test_a_question_is_an_event_in_its_place_with_all_that_the_agent_says_of_it() -> None:
    lines = [
        {"event": "message.delta", "delta": "a"},
        {"approval": {"prompt": "May I?", "choices": ["once"], "timeout_s": 5, "id": "x", "command": ["rm"]}},
        {"event": "message.delta", "delta": "b"},
    ]
    taken = an_intake().feed(b"".join(json.dumps(line).encode() + b"\n" for line in lines), NOW)
    assert [event["event"] for event in events(taken)] == [
        "message.delta",
        "approval.request",
        "message.delta",
    ]
    assert events(taken)[1] == {
        "event": "approval.request",
        "timestamp": NOW,
        "request_id": "approval_1_1",
        "prompt": "May I?",
        "choices": ["once"],
        "command": ["rm"],
        "expires_at": NOW + 5,
    }
    assert taken.count == 3
    assert lawful(taken.blob, 3)
    (question,) = questions(taken.blob)
    assert (question.request_id, question.choices, question.expires_at) == (
        "approval_1_1",
        ("once",),
        NOW + 5,
    )


@pytest.mark.parametrize(
    ("of_agent", "own", "expires_at"),
    [(300.0, None, NOW + 300), (300.0, 5, NOW + 5), (0.0, None, None), (0.0, 5, NOW + 5), (None, 5, None)],
)
def test_a_deadline_is_the_questions_own_or_the_agents_unless_it_has_none(
    of_agent: float | None, own: float | None, expires_at: float | None
) -> None:
    asked = {"prompt": "?"} | ({} if own is None else {"timeout_s": own})
    (event,) = events(said(an_intake(Desk(1, of_agent)), {"approval": asked}))
    assert event["expires_at"] == expires_at
    assert event["choices"] == ["once", "session", "always", "deny"]


@pytest.mark.parametrize(
    "asked",
    [
        None,
        "May I?",
        [],
        {},
        {"prompt": 7},
        {"prompt": "x" * (LONGEST_PROMPT + 1)},
        {"prompt": "?", "choices": []},
        {"prompt": "?", "choices": ["maybe"]},
        {"prompt": "?", "choices": ["once", "once"]},
        {"prompt": "?", "choices": "once"},
        {"prompt": "?", "timeout_s": 0},
        {"prompt": "?", "timeout_s": -1},
        {"prompt": "?", "timeout_s": 0.01},
        {"prompt": "?", "timeout_s": 1e12},
        {"prompt": "?", "timeout_s": "soon"},
        {"prompt": "?", "id": 7},
        {"prompt": "?", "more": "x" * LONGEST_REQUEST_BYTES},
        {"prompt": "?", "deep": json.loads("[" * 101 + "]" * 101)},
    ],
)
def test_what_is_no_question_is_answered_by_why_and_asks_nobody(asked: Any) -> None:
    desk = Desk(1)
    taken = said(an_intake(desk), {"approval": asked})
    assert (taken.blob, taken.count, desk.is_waiting) == (b"", 0, False)
    (reply,) = taken.replies
    assert reply.choice == "deny"
    assert reply.error is not None
    assert reply.error.startswith("not an approval: ")


def test_a_question_never_says_what_is_the_runtimes_to_say() -> None:
    forged = {"event": "run.completed", "seq": 1, "run_id": "x", "timestamp": 1, "request_id": "mine"}
    (event,) = events(said(an_intake(), {"approval": {"prompt": "?", **forged, "expires_at": 1}}))
    assert (event["event"], event["timestamp"], event["request_id"]) == (
        "approval.request",
        NOW,
        "approval_1_1",
    )
    assert event["expires_at"] == NOW + 300
    assert not {"seq", "run_id"} & event.keys()


def test_an_agent_can_not_emit_the_events_that_are_made_for_it() -> None:
    for name in ("approval.request", "approval.responded", "run.steered"):
        taken = said(an_intake(), {"event": name, "request_id": "approval_1_9", "choices": ["once"]})
        assert (taken.count, len(taken.refused)) == (0, 1)


def test_so_many_wait_and_no_more_and_an_answer_makes_room() -> None:
    desk = Desk(2)
    intake = an_intake(desk)
    for _ in range(MOST_OPEN):
        assert said(intake, {"approval": {"prompt": "?"}}).count == 1
    assert said(intake, {"approval": {"prompt": "?", "id": "one too many"}}).replies[0].id == "one too many"
    assert desk.answer(Answer("approval_2_1", "once")) is not None
    (event,) = events(said(intake, {"approval": {"prompt": "?"}}))
    assert event["request_id"] == f"approval_2_{MOST_OPEN + 1}", "an id is never used again"


def test_the_agent_hears_an_answer_once_by_its_own_name_for_the_question() -> None:
    desk = Desk(1)
    said(an_intake(desk), {"approval": {"prompt": "?", "id": "mine"}})
    answer = Answer("approval_1_1", "deny", "no", timed_out=True)
    assert desk.answer(answer) == Approval(
        choice="deny", id="mine", request_id="approval_1_1", note="no", timed_out=True
    )
    assert not desk.is_waiting
    assert desk.answer(answer) is None
    assert desk.answer(Answer("approval_1_2", "once")) is None


def test_guidance_that_is_taken_is_an_event_and_what_is_not_is_none() -> None:
    desk = Desk(1)
    intake = an_intake(desk)
    assert desk.steer("a", "left")
    assert not desk.steer("a", "left"), "said again, it is the same"
    desk.steer("b", "right")
    taken = said(intake, {"steered": "a"})
    assert events(taken) == [{"event": "run.steered", "timestamp": NOW, "input": "left"}]
    assert lawful(taken.blob, 1)
    refused = said(intake, {"steered": "b", "accepted": False, "why": "no"})
    assert (refused.count, taken.steered, refused.steered) == (0, [("a", None)], [("b", "no")])
    assert (desk.outcome("a"), desk.outcome("b"), desk.outcome("c")) == ((None,), ("no",), None)


@pytest.mark.parametrize("line", [{"steered": "x"}, {"steered": 7}, {"steered": "a", "accepted": "yes"}])
def test_an_answer_to_guidance_that_nobody_waits_for_is_refused(line: Any) -> None:
    desk = Desk(1)
    desk.steer("a", "left")
    taken = said(an_intake(desk), line)
    assert (taken.count, taken.steered, len(taken.refused)) == (0, [], 1)


def test_an_answer_that_comes_too_late_changes_nothing() -> None:
    desk = Desk(1)
    desk.steer("a", "left")
    assert desk.close_steer("a", "too late") == "left"
    assert desk.close_steer("a", None) is None
    assert said(an_intake(desk), {"steered": "a"}).count == 0
    assert desk.outcome("a") == ("too late",)


def test_what_became_of_guidance_is_kept_for_a_while() -> None:
    desk = Desk(1)
    for number in range(OUTCOMES_KEPT + 1):
        desk.steer(str(number), "x")
        desk.close_steer(str(number), None)
    assert desk.outcome("0") is None
    assert desk.outcome("1") == (None,)


@pytest.mark.parametrize(
    "line",
    [
        b'{"event":"approval.request","timestamp":1.0}',
        b'{"event":"approval.request","timestamp":1.0,"request_id":"","choices":["once"],"expires_at":null}',
        b'{"event":"approval.request","timestamp":1.0,"request_id":"x","choices":["maybe"],"expires_at":null}',
        b'{"event":"approval.request","timestamp":1.0,"request_id":"x","choices":[],"expires_at":null}',
        b'{"event":"approval.request","timestamp":1.0,"request_id":"x","choices":["once"],"expires_at":"soon"}',
        b'{"event":"approval.responded","timestamp":1.0}',
        b'{"event":"run.completed","timestamp":1.0}',
    ],
)
def test_a_warden_that_was_taken_over_can_not_forge_what_no_warden_says(line: bytes) -> None:
    assert not lawful(line + b"\n", 1)
