"""Agents that ask people and are steered, in real processes; the warden's part is played by the test."""

import time
from typing import Any

import pytest

from runward.actors.messages.with_agent import Approval, Guidance

from .harness import Life, Warden

LATER_S = 60.0


def asked(life: Life, count: int = 1) -> dict[str, Any]:
    """Its newest question, of so many."""
    life.hear(lambda life: len(questions(life)) >= count, f"{count} questions")
    return questions(life)[-1]


def questions(life: Life) -> list[dict[str, Any]]:
    return [line["approval"] for line in life.lines if "approval" in line]


def steered(life: Life, id: str, text: str) -> dict[str, Any]:
    """Its answer to this guidance."""
    life.tell(Guidance(id, text, time.monotonic() + LATER_S))
    life.hear(lambda life: any(each["steered"] == id for each in answers(life)), f"an answer to {id}")
    return next(each for each in answers(life) if each["steered"] == id)


def answers(life: Life) -> list[dict[str, Any]]:
    return [line for line in life.lines if "steered" in line]


def test_a_question_goes_up_with_its_fields_and_the_answer_comes_back_as_text(warden: Warden) -> None:
    life = warden.run("askers:asks", "May I?")
    question = asked(life)
    assert (question["prompt"], question["choices"]) == ("May I?", ["once", "session", "always", "deny"])
    life.tell(Approval(choice="session", id="of another question"))
    life.tell(Approval(choice="session", id=question["id"]))
    assert life.end() == 0
    assert life.claim["output"] == "session"


def test_an_async_agent_asks_the_same(warden: Warden) -> None:
    life = warden.run("askers:asks_at_leisure", "May I?")
    question = asked(life)
    assert question["why"] == "because"
    life.tell(Approval(choice="deny", id=question["id"]))
    assert life.end() == 0
    assert life.claim["output"] == "deny"


@pytest.mark.parametrize("name", ["asks", "asks_at_leisure"])
@pytest.mark.parametrize("way", ["interrupt", "signal"])
def test_who_waits_for_a_person_is_woken_when_the_run_is_to_end(warden: Warden, name: str, way: str) -> None:
    life = warden.run(f"askers:{name}")
    asked(life)
    life.interrupt() if way == "interrupt" else life.signal()
    assert life.end() == 130
    assert life.claim["claim"] == "interrupted"


@pytest.mark.parametrize("way", ["interrupt", "signal"])
def test_a_thread_that_waits_for_a_person_is_woken_too(warden: Warden, way: str) -> None:
    life = warden.run("askers:asks_in_a_thread")
    asked(life)
    life.interrupt() if way == "interrupt" else life.signal()
    life.hear_deltas()
    assert life.deltas == ["Interrupted: interrupted"]
    assert life.end() == 130


def test_a_run_that_is_to_end_asks_nothing_any_more(warden: Warden) -> None:
    life = warden.run("askers:asks_on")
    asked(life)
    life.interrupt()
    assert life.end() == 130
    assert len(questions(life)) == 1


def test_a_process_that_the_agent_forked_can_not_ask(warden: Warden) -> None:
    life = warden.run_to_end("askers:asks_by_a_fork")
    assert life.claim["output"] == "only the agent's own process can ask people, not one that it forked"
    assert not questions(life)


def test_a_question_that_can_not_be_json_names_the_field(warden: Warden) -> None:
    life = warden.run_to_end("askers:asks_nonsense")
    assert life.claim["error"].startswith(
        "TypeError: field 'about' of event 'approval.request' can't be JSON"
    )


def test_what_the_warden_takes_for_no_question_is_a_value_error(warden: Warden) -> None:
    life = warden.run("askers:asks")
    life.tell(Approval(choice="deny", id=asked(life)["id"], error="not an approval: too much"))
    assert life.end() == 1
    assert life.claim["error"] == "ValueError: not an approval: too much"


def test_a_function_takes_guidance_from_its_first_look_on(warden: Warden) -> None:
    life = warden.run("askers:listens")
    life.hear_deltas()
    assert steered(life, "a", "left") == {"steered": "a"}
    assert life.end() == 0
    assert life.claim["output"] == ["left"]


def test_guidance_that_came_before_the_first_look_is_taken_then_unless_nobody_waits_for_that_any_more(
    warden: Warden,
) -> None:
    life = warden.run("askers:hears")
    life.hear_deltas()
    life.tell(
        Guidance("old", "too late", time.monotonic() - 1), Guidance("a", "left", time.monotonic() + LATER_S)
    )
    life.interrupt()
    assert life.end() == 130
    assert answers(life) == [{"steered": "a"}]
    assert life.claim["output"] == ["left"]


def test_a_conversations_own_method_takes_it_or_says_no_or_breaks(warden: Warden) -> None:
    life = warden.run("askers:Steered")
    life.hear_deltas()
    life.tell(Guidance("hangs", "hang", time.monotonic() + LATER_S))  # and harms no other
    assert steered(life, "a", "left") == {"steered": "a"}
    assert steered(life, "b", "no") == {"steered": "b", "accepted": False, "why": "its steer said no"}
    why = "the agent's steer raised; its log says what"
    assert steered(life, "c", "raise") == {"steered": "c", "accepted": False, "why": why}
    life.hear_stderr("RuntimeError: steer is broken")
    life.interrupt()
    assert life.end() == 130


def test_a_conversation_that_has_no_such_method_says_so(warden: Warden) -> None:
    life = warden.run("askers:Deaf")
    life.hear_deltas()
    assert steered(life, "a", "left") == {
        "steered": "a",
        "accepted": False,
        "why": "it is a conversation without a steer method",
    }
    life.interrupt()
    assert life.end() == 130
