"""The client commands against a real server: nothing is faked here."""

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from ..support.waiting import AT_LAST_S, until
from .processes import RUNWARD, on_pipes


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The state folder of a server that runs."""
    folder = tmp_path_factory.mktemp("real")
    # With count as it is, a test would take a second for each number.
    (folder / "runward.toml").write_text(
        "[runs]\ninterrupt_grace_s = 0.3\nterminate_grace_s = 0.3\n"
        '[agents.count]\nentrypoint = "runward.actors.builtin:count"\noptions = { interval_s = 0.02 }\n'
    )
    words = [
        "serve",
        "--port",
        "0",
        "--state",
        str(folder / "state"),
        "--config",
        str(folder / "runward.toml"),
    ]
    with on_pipes(words, {}) as server:
        server.await_saying("runward: listening on http://127.0.0.1:")
        yield folder / "state"
        server.process.send_signal(signal.SIGTERM)
        assert server.await_end() == 0, server.said


def runward(state: Path, *words: str, expecting: int = 0) -> str:
    """The command's stdout, once it ended with the code that was expected."""
    ended = subprocess.run(
        [*RUNWARD, *words, "--state", str(state)],
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert ended.returncode == expecting, ended.stderr
    return ended.stdout


def document(state: Path, *words: str, expecting: int = 0) -> Any:
    return json.loads(runward(state, *words, "--json", expecting=expecting))


def test_a_run_that_completes(state: Path) -> None:
    assert runward(state, "run", "echo", "grüße") == "grüße\n"
    assert runward(state, "run", "count", "20") == "".join(f"{number}\n" for number in range(1, 21))


def test_a_run_that_crashes(state: Path) -> None:
    ended = document(state, "run", "crash", "segfault", expecting=1)
    assert (ended["reason"], ended["exit"]["signal"]) == ("signal", "SIGSEGV")


def test_a_runaway_is_seen_killed_and_proved(state: Path) -> None:
    run_id = runward(state, "run", "spin", "x", "--detach").strip()
    followed = iter(document_lines(state, run_id))
    pid = next(event["pid"] for event in followed if event["event"] == "run.started")
    assert psutil.pid_exists(pid)

    def row() -> list[str]:
        (found,) = [line.split() for line in runward(state, "ps").splitlines() if run_id in line]
        return found

    until(lambda: int(row()[4].removesuffix("%")) > 0, AT_LAST_S, "its CPU time to be seen")
    _, agent, status, _age, _cpu, rss, processes, _events, *_ = row()
    assert (agent, status, processes) == ("spin", "running", "2")  # the agent and its warden
    assert float(rss.removesuffix("M")) > 10
    killed = document(state, "kill", run_id.removeprefix("run_")[:16])
    assert (killed["status"], killed["reason"], killed["exit"]["rung"]) == ("cancelled", "killed", "kill")
    assert killed["exit"]["survivors"] == []
    assert not psutil.pid_exists(pid)
    assert run_id not in runward(state, "ps")
    assert run_id in runward(state, "ps", "--all", "--agent", "spin")
    assert "it had ended before" in runward(state, "stop", run_id)


def document_lines(state: Path, run_id: str) -> Iterator[dict[str, Any]]:
    """The run's events as the command prints them, until nobody wants more."""
    with on_pipes(["events", run_id, "--json", "--state", str(state)], {}) as command:
        command.await_saying('"message.delta"')
        yield from (json.loads(line) for line in command.said.splitlines())


def test_ctrl_c_at_a_run_climbs_the_ladder_to_the_end(state: Path) -> None:
    with on_pipes(["run", "spin", "x", "--state", str(state)], {}) as command:
        command.await_saying("spinning")
        command.interrupt()
        assert command.await_end() == 3
    assert "cancelled (killed); SIGKILL; ended by the kill rung in" in command.said
    assert "no survivors" in command.said


def test_events_of_an_ended_run_are_all_there(state: Path) -> None:
    run = document(state, "run", "count", "5")
    printed = runward(state, "events", run["run_id"], "--json").splitlines()
    assert [json.loads(line)["seq"] for line in printed] == list(range(1, run["last_seq"] + 1))
    after = runward(state, "events", run["run_id"], "--json", "--after", str(run["last_seq"] - 1))
    assert json.loads(after)["event"] == "run.completed"


def test_an_unknown_agent_is_wrong_usage(state: Path) -> None:
    assert document(state, "run", "nobody", "x", expecting=2)["error"]["code"] == "agent_not_found"


def test_a_second_server_on_the_same_folder_is_refused(state: Path) -> None:
    ended = subprocess.run(
        [*RUNWARD, "serve", "--port", "0", "--state", str(state)],
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert ended.returncode == 78
    assert "is in use by another server (pid" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_server_is_drained_and_waited_for(tmp_path: Path) -> None:
    words = ["serve", "--port", "0", "--state", str(tmp_path)]
    with on_pipes(words, {}) as server:
        server.await_saying("runward: listening on http://127.0.0.1:")
        runward(tmp_path, "drain")
        assert server.await_end() == 0, server.said
    refused = subprocess.run(
        [*RUNWARD, "drain", "--state", str(tmp_path)], capture_output=True, text=True, timeout=40, check=False
    )
    assert (refused.returncode, refused.stderr.startswith("runward: no server runs here")) == (4, True)
