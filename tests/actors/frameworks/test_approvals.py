"""What people allow the tools of a framework's agent, for as long as the run lasts."""

from typing import Any, cast

import pytest

from runward.actors.frameworks.approvals import Approvals
from runward.actors.run import Choice, Run


class Asked:
    """Stands for the run: answers as it is told, and remembers what it was asked."""

    def __init__(self, *answers: Choice | Exception) -> None:
        self._answers = list(answers)
        self.questions: list[dict[str, Any]] = []

    async def approve_async(self, prompt: str, **more: Any) -> Choice:
        self.questions.append({"prompt": prompt, **more})
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def _approvals(asked: Asked) -> Approvals:
    return Approvals(cast(Run, asked))


@pytest.mark.parametrize(("choice", "times"), [("once", 2), ("session", 1), ("always", 1), ("deny", 2)])
async def test_only_what_is_allowed_for_good_is_not_asked_again(choice: str, times: int) -> None:
    asked = Asked(Choice(choice), Choice(choice))
    approvals = _approvals(asked)
    assert [await approvals.of_call("wipe", {"what": each}) for each in "ab"] == [choice, choice]
    assert len(asked.questions) == times
    assert asked.questions[0] == {"prompt": "wipe: a", "tool": "wipe", "arguments": {"what": "a"}}


async def test_what_is_allowed_of_one_tool_is_not_of_another() -> None:
    asked = Asked(Choice("always"), Choice("deny"))
    approvals = _approvals(asked)
    assert [await approvals.of_call(tool, "{}") for tool in ("look", "wipe")] == ["always", "deny"]


async def test_a_question_of_its_own_allows_nothing_else() -> None:
    asked = Asked(Choice("once", "gently"), Choice("deny"))
    approvals = _approvals(asked)
    assert (await approvals.of("Go on?")).note == "gently"
    assert await approvals.of({"step": 2, "of": 3}) == "deny"
    assert asked.questions == [
        {"prompt": "Go on?", "choices": ("once", "deny"), "question": "Go on?"},
        {
            "prompt": '{"step": 2, "of": 3}',
            "choices": ("once", "deny"),
            "question": {"step": 2, "of": 3},
        },
    ]


async def test_what_nobody_answers_is_denied_and_why_is_said() -> None:
    choice = await _approvals(Asked(Choice("deny", None, True))).of_call("wipe", {})
    assert (choice, choice.note) == ("deny", "nobody answered in time")


@pytest.mark.parametrize("error", [ValueError("too long"), TypeError("no JSON")])
async def test_what_nobody_can_be_shown_is_denied(error: Exception) -> None:
    choice = await _approvals(Asked(error)).of_call("wipe", {})
    assert (choice, choice.note) == ("deny", str(error))
