"""How runs end that nobody stops, and what is said of those that never began. On both kill rungs."""

import signal
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from ..support import census
from ..support.client import Client, Json
from ..support.rungs import PROOF, RUNGS, skip_unless_held
from ..support.server import AGENTS, Server, agent, running
from ..support.waiting import AT_LAST_S, until

GRACE_S = 1.0
BROKEN: dict[str, dict[str, object]] = {
    "no-file": {"entrypoint": f"{AGENTS}/no_such_file.py:run"},
    "no-module": {"entrypoint": "no_such_package.module:run"},
    "no-attribute": agent("acting", "no_such_function"),
    "no-import": agent("raising", "run"),
    "no-fit": agent("acting", "wants_more"),
    "no-option": agent("acting", "raises", options={"colour": "red"}),
}


@pytest.fixture(scope="module", params=RUNGS)
def rung(request: pytest.FixtureRequest) -> str:
    return skip_unless_held(request.param)


@pytest.fixture(scope="module")
def house(rung: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = {
        "containment": {"kill": rung},
        "runs": {"interrupt_grace_s": GRACE_S, "default_agent": "act", "builtin_agents": ["crash"]},
        "agents": {"act": agent("acting", "act")},
    }
    with running(tmp_path_factory.mktemp("endings"), config) as server:
        _ended(server.client, "answers")
        yield server


@pytest.fixture
def client(house: Server) -> Iterator[Client]:
    with house.without_leftovers():
        yield house.client


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose agents can't be started, but for the built-in one."""
    folder = tmp_path_factory.mktemp("broken")
    with running(folder, {"runs": {"builtin_agents": ["echo"]}, "agents": BROKEN}) as server:
        server.client.ended(server.client.start("echo"))
        yield server


def _ended(client: Client, text: str, name: str = "act") -> Json:
    return client.ended(client.start(name, text))


def _says(run: Json) -> tuple[Any, ...]:
    return run["status"], run["reason"], run["exit"]["code"], run["exit"]["signal"], run["exit"]["rung"]


# ── ends of their own ─────────────────────────────────────────────────────────────────────────────────────────────


def test_an_exception_is_the_error_and_its_traceback_the_end_of_stderr(client: Client) -> None:
    run = _ended(client, "raises the word")
    assert _says(run) == ("failed", "exception", 1, None, None)
    assert run["error"] == "LookupError: the word"
    assert run["exit"]["stderr_tail"].startswith("on stderr before the end\nTraceback")
    assert run["output"] is None
    failed = client.events(run["run_id"])[-1]
    assert (failed["event"], failed["error"], failed["reason"]) == ("run.failed", run["error"], "exception")
    assert failed["exit"] == run["exit"]


@pytest.mark.parametrize("code", [1, 3, 255])
@pytest.mark.parametrize("way", ["leaves", "exits"])
def test_an_exit_code_that_is_not_zero_is_a_failure(client: Client, way: str, code: int) -> None:
    run = _ended(client, f"{way} {code}")
    assert _says(run) == ("failed", "exit_code", code, None, None)
    assert str(code) in run["error"]


def test_leaving_without_a_word_is_no_completion_even_with_exit_code_zero(client: Client) -> None:
    assert _says(_ended(client, "leaves 0")) == ("failed", "exit_code", 0, None, None)


def test_a_program_that_exits_with_zero_has_completed(client: Client) -> None:
    assert _says(_ended(client, "exits 0")) == ("completed", "completed", 0, None, None)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT, signal.SIGHUP, signal.SIGINT])
def test_a_signal_of_somebody_else_is_named(client: Client, number: signal.Signals) -> None:
    run = _ended(client, f"dies {int(number)}")
    assert _says(run) == ("failed", "signal", None, number.name, None)
    assert number.name in run["error"]


def test_a_sigterm_of_somebody_else_is_an_interruption_that_nobody_asked_for(client: Client) -> None:
    run = _ended(client, f"dies {int(signal.SIGTERM)}")
    assert (run["status"], run["reason"], run["exit"]["rung"]) == ("failed", "exception", None)
    assert "terminated" in run["error"] or "Interrupted" in run["error"]


def test_a_segmentation_fault_ends_one_run_and_nothing_else(client: Client) -> None:
    assert _says(_ended(client, "segfault", "crash")) == ("failed", "signal", None, "SIGSEGV", None)
    assert _ended(client, "answers still there")["output"] == "still there"


def test_an_agent_that_returned_but_hangs_has_completed_and_is_killed_after_the_grace(client: Client) -> None:
    run = _ended(client, "lingers")
    assert _says(run) == ("completed", "completed", None, "SIGKILL", "kill")
    assert run["output"] == "done"
    assert run["ended_at"] - run["started_at"] >= GRACE_S


# ── what a run leaves behind ──────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def seconds() -> str:
    """A length of sleep that no other process of this machine sleeps."""
    return f"1000000.{uuid4().int}"


def _sleepers(seconds: str) -> list[census.Process]:
    return [each for each in census.processes() if each.title == f"sleep {seconds}"]


def test_a_daemon_that_outlives_its_run_is_killed_before_the_end_is_told(
    client: Client, rung: str, seconds: str
) -> None:
    run_id = client.start("act", f"fathers {seconds}")
    events = client.events(run_id)
    assert _sleepers(seconds) == []
    run = client.run(run_id)
    assert events[-1]["event"] == "run.completed"
    assert (run["exit"]["proof"], run["exit"]["survivors"]) == (PROOF[rung], [])


@pytest.mark.parametrize("way", ["stop", "kill"])
def test_a_stop_ends_the_daemon_too(client: Client, seconds: str, way: str) -> None:
    run_id = client.begun("act", f"fathers {seconds}", metadata={"then": "wait"})
    # Its arguments can be read a moment after it was executed.
    until(lambda: len(_sleepers(seconds)) == 1, AT_LAST_S, "the daemon")
    client.ask("POST", f"/v1/runs/{run_id}/{way}", {})
    client.events(run_id)
    assert _sleepers(seconds) == []


# ── what never began ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("no-file", "no_such_file.py"),
        ("no-module", "no_such_package"),
        ("no-attribute", "no_such_function"),
        ("no-import", "RuntimeError: no good import"),
        ("no-fit", "more"),
        ("no-option", "colour"),
    ],
)
def test_an_agent_that_can_not_be_started_fails_with_the_cause_and_hurts_nobody(
    broken: Server, name: str, told: str
) -> None:
    with broken.without_leftovers():
        run = _ended(broken.client, "go", name)
        assert (run["status"], run["reason"]) == ("failed", "start_failed")
        assert told in run["error"]
        assert [event["event"] for event in broken.client.events(run["run_id"])][-1] == "run.failed"
        assert broken.client.is_healthy()
        assert _ended(broken.client, "still there", "echo")["output"] == "still there"


def test_an_agent_that_is_not_declared_is_refused_and_the_declared_ones_are_named(broken: Server) -> None:
    answer = broken.client.ask("POST", "/v1/runs", {"input": "go", "agent": "nobody"})
    assert (answer.status, answer.error["code"], answer.error["param"]) == (404, "agent_not_found", "agent")
    assert "echo" in answer.error["message"]
