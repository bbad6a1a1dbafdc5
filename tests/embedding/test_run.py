"""`runward.run`: a value comes back, or an exception that says what became of the run."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import runward
from runward import Event, Interrupted, Run, RunCancelled, RunFailed, RunTimedOut
from runward.actors import running
from runward.actors.running import Servers

pytestmark = pytest.mark.usefixtures("_end_servers")

NOTEBOOK = """
import json, os, runward
greeting = "hello, "
def greet(name, run):
    run.emit("message.delta", delta="thinking")
    return {"said": greeting + name, "pid": os.getpid()}
seen = []
first = runward.run(greet, "you", on_event=lambda event: seen.append(event.event))
second = runward.run(greet, "me")
child = os.fork()
if child == 0:
    raise SystemExit(0)  # its exit handlers run, and must leave our server alone
os.waitpid(child, 0)
third = runward.run(greet, "us")
print(json.dumps([first, second, third, seen, os.getpid()]))
"""


def test_a_notebooks_function_runs_elsewhere_and_its_output_comes_back(tmp_path: Path) -> None:
    notebook = tmp_path / "notebook.py"
    notebook.write_text(NOTEBOOK)
    ended = subprocess.run(
        [sys.executable, notebook], capture_output=True, text=True, timeout=50, check=False
    )
    assert ended.returncode == 0, ended.stderr
    first, second, third, seen, own_pid = json.loads(ended.stdout)
    assert [first["said"], second["said"], third["said"]] == ["hello, you", "hello, me", "hello, us"]
    assert len({first["pid"], second["pid"], third["pid"], own_pid}) >= 2
    assert own_pid not in (first["pid"], second["pid"], third["pid"])
    assert seen == ["run.queued", "run.started", "message.delta", "run.completed"]


def agent(text: str, run: Run) -> Any:
    """Does what it is told."""
    match text.split():
        case ["raise"]:
            raise LookupError("nothing there")
        case ["exit", code]:
            os._exit(int(code))
        case ["wait"]:
            run.emit("message.delta", delta="ready")
            try:
                time.sleep(3600)
            except Interrupted:
                sys.stderr.write("interrupted\n")
                raise
    return {"heard": text, "history": run.history}


def test_every_end_is_a_value_or_an_exception_with_reason_and_receipt() -> None:
    messages = [{"role": "user", "content": "one"}, {"role": "user", "content": "two"}]
    assert runward.run(agent, messages) == {"heard": "two", "history": messages[:1]}
    with pytest.raises(RunFailed, match="LookupError: nothing there") as failed:
        runward.run(agent, "raise")
    assert (failed.value.reason, failed.value.exit.survivors) == ("exception", [])
    assert "in agent" in failed.value.__notes__[0]
    with pytest.raises(RunFailed) as failed:
        runward.run(agent, "exit 7")
    assert (failed.value.reason, failed.value.exit.code) == ("exit_code", 7)
    with pytest.raises(RunTimedOut) as late:
        runward.run(agent, "wait", timeout_s=0.2)
    assert isinstance(late.value, RunCancelled | TimeoutError)
    assert late.value.run.ended
    assert late.value.exit.rung in ("interrupt", "terminate")


class LeftError(Exception):
    """Of the test's own."""


@pytest.mark.parametrize("error", [pytest.param(LeftError, marks=pytest.mark.slow), KeyboardInterrupt])
def test_an_exception_here_ends_the_run_and_goes_on(error: type[BaseException]) -> None:
    servers = running._servers()
    pids = []

    def listen(event: Event) -> None:
        if event.event == "run.started":
            pids.append(int(event.fields["pid"]))
        if event.text:
            raise error

    with pytest.raises(error):
        runward.run(agent, "wait", on_event=listen)
    assert not os.path.exists(f"/proc/{pids[0]}")
    with servers.one_for(agent) as server:
        assert [run.status for run in server.client.list()] == ["cancelled"]


def test_a_callable_that_can_not_be_sent_is_refused_before_anything_starts() -> None:
    held = (number for number in [1])
    with pytest.raises(TypeError, match="can't be shipped"):
        runward.run(lambda text: next(held), "x")


def test_a_server_is_kept_for_the_same_callable_and_only_the_last_are_kept() -> None:
    servers = Servers(most=1)
    one, other = (lambda text: "one"), (lambda text: "other")
    with servers.one_for(one) as first:
        pid = first.pid
    with servers.one_for(one) as again:
        assert again.pid == pid
        with servers.one_for(other) as second:
            assert again.alive  # in use, however many there are
    with servers.one_for(other) as second_again:
        assert second_again is second
    assert not first.alive
    servers.close()
    assert not second.alive


def test_a_server_that_died_is_replaced() -> None:
    servers = Servers()
    with servers.one_for(agent) as server:
        os.kill(server.pid, 9)
        while server.alive:
            pass
    with servers.one_for(agent) as server:
        assert server.client.health()
    servers.close()
