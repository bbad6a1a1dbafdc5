"""The table from what went wrong to a status."""

import typing

import pytest

from runward.actors.errors import AskTimeout, BadMessage, JournalFull, Refused, Unreachable
from runward.actors.messages.answers import Refusal
from runward.http import errors
from runward.http.errors import KINDS, Problem

CODES = typing.get_args(typing.get_type_hints(Refusal)["code"])


@pytest.mark.parametrize("code", CODES)
def test_every_refusal_of_the_supervisor_has_a_status_of_its_own(code: str) -> None:
    assert code in KINDS
    problem = errors.from_actors(Refused(code, "why"))
    assert (problem.code, str(problem)) == (code, "why")
    assert 400 <= problem.kind.status < 600


@pytest.mark.parametrize("error", [AskTimeout("x"), Unreachable("x"), BadMessage("x", b"")])
def test_a_supervisor_that_can_not_be_asked_is_503(error: Exception) -> None:
    assert isinstance(error, AskTimeout | Unreachable | BadMessage)
    problem = errors.from_actors(error)
    assert (problem.kind.status, problem.headers) == (503, {"Retry-After": "1"})


def test_what_is_not_in_the_table_is_a_500_that_tells_nothing() -> None:
    problem = errors.from_actors(JournalFull("at /secret/path"))
    assert problem.kind.status == 500
    assert b"secret" not in problem.body


@pytest.mark.parametrize("status", range(400, 600))
def test_every_error_of_aiohttp_has_our_shape(status: int) -> None:
    problem = errors.from_http(status)
    assert problem.code in KINDS
    assert problem.kind.status // 100 == status // 100


@pytest.mark.parametrize(
    ("wait_s", "header"), [(None, "1"), (0.0, "1"), (0.2, "1"), (2.1, "3"), (60.0, "60")]
)
def test_who_may_try_again_is_told_when(wait_s: float | None, header: str) -> None:
    for code in ("queue_full", "shutting_down", "journal_full"):
        assert Problem(code, "x", retry_after_s=wait_s).headers["Retry-After"] == header
    assert "Retry-After" not in Problem("run_not_found", "x", retry_after_s=wait_s).headers
