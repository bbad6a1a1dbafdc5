"""How an agent can end without being asked to, in real processes."""

from pathlib import Path
from typing import Any

import pytest

from .harness import Warden

START_FAILURES: list[tuple[str, dict[str, Any], str]] = [
    ("no.such:agent", {}, "ModuleNotFoundError: No module named 'no'"),
    ("missing:agent", {}, "FileNotFoundError: [Errno 2] No such file or directory"),
    ("bad:nope", {}, "AttributeError: module 'bad' has no attribute 'nope'"),
    ("bad:not_callable", {}, "TypeError: it is a int, which can't be called"),
    ("bad:NoConversation", {}, "TypeError: NoConversation is a class without run_conversation"),
    ("bad:takes_three", {}, "TypeError: missing a required argument: 'three'"),
    ("bad:takes_nothing", {}, "TypeError: a callable that takes no input must return an object with "),
    ("bad:makes_no_conversation", {}, "TypeError: a callable that takes no input must return an object "),
    ("bad:raises", {"tone": 1}, "TypeError: the agent takes no option 'tone'; it is (_: str) -> None"),
    ("leaves_at_import:agent", {}, "SystemExit: no, thank you"),
    ("breaks_at_import:agent", {}, "OSError: [Errno 5] no such luck"),
    ("conversations:Unbuildable", {}, "RuntimeError: No LLM provider configured"),
]


@pytest.mark.parametrize(("entrypoint", "options", "error"), START_FAILURES)
def test_an_agent_that_cannot_start_says_why(
    warden: Warden, entrypoint: str, options: dict[str, Any], error: str
) -> None:
    life = warden.run_to_end(entrypoint, options=options)
    assert life.claim["claim"] == "start_failed"
    assert life.claim["error"].startswith(error)
    assert life.end() == 1
    assert "Traceback (most recent call last)" in life.stderr
    assert life.events == []


FAILURES = [
    ("bad:raises", "", "LookupError: nothing\nto be found"),
    ("bad:raises_unprintable", "", "bad.Unprintable: its message can't be printed"),
    ("bad:returns_an_object", "", "TypeError: the output, a object, can't be JSON: "),
    ("bad:returns_too_much", "1100000", "ValueError: the output is 1100"),
    ("bad:emits", "run.completed", "ValueError: event 'run.completed' is not allowed: "),
    ("bad:emits", "undotted", "ValueError: event 'undotted' is not allowed: "),
    ("bad:emits_an_object", "", "TypeError: field 'preview' of event 'tool.started' can't be JSON: "),
    ("bad:emits_a_stamp", "", "ValueError: event 'tool.started': the runtime sets seq"),
    ("functions:yields_a_number", "", "TypeError: an agent yields text or {'event': …}, not a int"),
    ("patient:cancels_itself", "", "asyncio.exceptions.CancelledError"),
]


@pytest.mark.parametrize(("entrypoint", "text", "error"), FAILURES)
def test_an_agent_that_raises_claims_the_exception(
    warden: Warden, entrypoint: str, text: str, error: str
) -> None:
    life = warden.run_to_end(entrypoint, text)
    assert life.claim["claim"] == "exception"
    assert life.claim["error"].startswith(error)
    assert life.end() == 1


def test_a_failure_keeps_what_was_said_so_far_and_its_traceback(warden: Warden) -> None:
    life = warden.run_to_end("bad:raises_after_a_delta")
    assert life.claim == {
        "claim": "exception",
        "error": "LookupError: no further",
        "output": "so far",
        "kind": "generator",
    }
    assert 'raise LookupError("no further")' in life.stderr


@pytest.mark.parametrize("code", ["", "0", "None", "256"])
def test_sys_exit_with_zero_is_a_completion_without_output(warden: Warden, code: str) -> None:
    life = warden.run_to_end("bad:exits", code or "None")
    assert life.claim == {"claim": "completed", "kind": "function"}
    assert life.end() == 0


@pytest.mark.parametrize(("code", "seen"), [("3", 3), ("-1", 255), ("True", 1), ("'so long'", 1)])
def test_sys_exit_with_a_code_speaks_for_itself(warden: Warden, code: str, seen: int) -> None:
    life = warden.run_to_end("bad:exits", code)
    assert life.claims == []
    assert life.end() == seen
    assert life.stderr == ("so long\n" if "so long" in code else "")


def test_an_output_that_fits_a_longer_event_is_taken(warden: Warden) -> None:
    life = warden.fork("bad:returns_too_much", max_event_bytes=2_000_000)
    life.begin("1100000")
    life.end()
    assert len(life.claim["output"]) == 1_100_000


def test_a_normal_end_waits_for_threads_and_then_runs_exit_handlers(warden: Warden) -> None:
    life = warden.run_to_end("bad:leaves_a_thread")
    assert (life.claim["output"], life.stdout) == ("returned", "the thread is done\n")
    life = warden.run_to_end("bad:leaves_work_for_the_end")
    assert (life.end(), life.stdout) == (0, "no newlinethe exit handler ran\n")


def test_a_thread_that_never_ends_is_left_at_sigterm_and_exit_handlers_still_run(warden: Warden) -> None:
    life = warden.run("bad:leaves_a_thread_for_ever")
    life.hear(lambda each: each.claims, "its claim")
    life.signal()
    assert life.end() == 0
    assert life.stdout == "the exit handler ran\n"


def test_a_broken_exit_handler_changes_nothing(warden: Warden) -> None:
    life = warden.run_to_end("bad:leaves_a_broken_exit_handler")
    assert (life.claim["claim"], life.end()) == ("completed", 0)
    assert "ZeroDivisionError" in life.stderr


def test_a_temporary_folder_of_the_agent_is_removed_at_its_end(warden: Warden, tmp_path: Path) -> None:
    warden.run_to_end("bad:leaves_a_temporary_folder")
    assert [each.name for each in tmp_path.iterdir()] == ["kept"]


def test_a_fork_that_comes_back_through_the_agents_code_makes_no_claim(warden: Warden) -> None:
    life = warden.run_to_end("bad:forks_and_returns_twice")
    assert life.claim["output"] == "parent"


def test_a_process_that_the_agent_forks_dies_of_sigterm_as_usual(warden: Warden) -> None:
    assert warden.run_to_end("bad:forks_a_child_to_terminate").claim["output"] == -15


def test_an_agent_without_stdout_ends_well(warden: Warden) -> None:
    assert warden.run_to_end("bad:replaces_stdout").end() == 0


def test_a_dead_warden_ends_the_agent_at_once(warden: Warden) -> None:
    """Before the start, in user code that waits, and in user code that writes."""
    for agent in ("functions:returns", "patient:sleeps", "patient:floods"):
        life = warden.fork(agent)
        if agent != "functions:returns":
            life.begin()
            life.hear_deltas()
        life.hang_up()
        assert life.end() == 1


def test_a_framework_that_is_not_installed_is_named_with_its_extra(warden: Warden, tmp_path: Path) -> None:
    # Hidden from the import as if it were not there, which in most environments of these tests it isn't.
    code = "import sys\nsys.modules['pydantic_ai'] = None\nfrom pydantic_ai import Agent\n"
    (tmp_path / "framed.py").write_text(code)
    life = warden.run_to_end(f"{tmp_path}/framed.py:agent")
    assert life.end() == 1
    assert life.claim["claim"] == "start_failed"
    assert life.claim["error"].endswith(" (pip install 'runward[pydantic-ai]')")


def test_hermes_that_is_not_installed_is_named_with_its_extra(warden: Warden) -> None:
    where = {"base_url": "http://127.0.0.1:1/v1", "api_key": "none"}
    life = warden.run_to_end("runward.actors.hermes:Agent", options=where)
    assert life.end() == 1
    assert life.claim["claim"] == "start_failed"
    assert life.claim["error"].endswith(" (pip install 'runward[hermes]')")


def test_hermes_without_a_model_says_what_to_set(warden: Warden) -> None:
    life = warden.run_to_end("runward.actors.hermes:Agent", options={"api_key": "none"})
    assert life.claim["claim"] == "start_failed"
    assert "OPENAI_BASE_URL" in life.claim["error"]
    assert life.claim["error"].endswith("base_url is missing")
