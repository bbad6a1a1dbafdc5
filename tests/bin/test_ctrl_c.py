"""Ctrl-C at `runward run`: real processes and real signals, at a terminal and without one."""

import signal
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from .fake_server import KEY, FakeRun, FakeServer
from .processes import Command, on_pipes, on_terminal

Start = Callable[..., AbstractContextManager[Command]]


@pytest.fixture
def environment(fake: FakeServer) -> dict[str, str]:
    return {"RUNWARD_URL": fake.url, "RUNWARD_API_KEY": KEY}


@pytest.fixture(autouse=True)
def _talking_spin(fake: FakeServer) -> None:
    def spin(run: FakeRun) -> None:
        run.emit("run.started", pid=1, agent="spin", attempt=1)
        run.emit("message.delta", delta="spinning")

    fake.agents["spin"] = spin


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_once_stops_the_run_and_shows_its_end(
    number: signal.Signals, fake: FakeServer, environment: dict[str, str]
) -> None:
    with on_pipes(["run", "spin", "x"], environment) as command:
        command.await_saying("spinning")
        command.process.send_signal(number)
        assert command.await_end() == 3
    assert "stopping run_0000; ctrl-C again kills it" in command.said
    assert 'run.stopping  mode="interrupt"' in command.said
    assert "run_0000 cancelled (interrupted)" in command.said
    assert asked(fake) == ["stop"]


def test_twice_kills_it(fake: FakeServer, environment: dict[str, str]) -> None:
    fake.gently = True
    with on_pipes(["run", "spin", "x"], environment) as command:
        command.await_saying("spinning")
        command.interrupt()
        command.await_saying("run.stopping")
        command.interrupt()
        assert command.await_end() == 3
    assert "run_0000 cancelled (killed); SIGKILL; ended by the kill rung" in command.said
    assert asked(fake) == ["stop", "kill"]


def test_three_times_leaves_without_waiting(fake: FakeServer, environment: dict[str, str]) -> None:
    fake.stop = lambda run, rung: None  # type: ignore[method-assign]  # heard, and nothing comes of it
    with on_pipes(["run", "spin", "x"], environment) as command:
        command.await_saying("spinning")
        command.interrupt()
        command.await_saying("ctrl-C again kills it")
        command.interrupt()
        command.await_saying("ctrl-C again leaves without waiting")
        command.interrupt()
        assert command.await_end() == 130


def test_at_a_terminal_the_agents_words_and_ours_share_no_line(
    fake: FakeServer, environment: dict[str, str]
) -> None:
    with on_terminal(["run", "spin", "x"], environment | {"NO_COLOR": "1", "TERM": "xterm"}) as command:
        command.await_saying("spinning")
        command.press_ctrl_c()
        assert command.await_end() == 3
    lines = command.said.split("\r\n")
    assert 'run.stopping  mode="interrupt" reason=null' in lines
    assert "Traceback" not in command.said


def test_while_the_server_has_not_answered_a_second_one_leaves() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(20)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with on_pipes(["run", "spin", "x"], {"RUNWARD_URL": url}) as command:
            connection, _ = silent.accept()
            with connection:
                command.interrupt()
                command.await_saying("has not answered yet")
                command.interrupt()
                assert command.await_end() == 130


def test_at_events_it_leaves_the_run_alone(fake: FakeServer, environment: dict[str, str]) -> None:
    fake.add("run_1", "spin")
    with on_pipes(["events", "run_1"], environment) as command:
        command.await_saying("spinning")
        command.interrupt()
        assert command.await_end() == 130
    assert "Traceback" not in command.said
    assert asked(fake) == []


def test_a_reader_that_leaves_is_no_traceback(fake: FakeServer, environment: dict[str, str]) -> None:
    with on_pipes(["run", "spin", "x"], environment) as command:
        command.await_saying("spinning")
        assert command.process.stdout
        command.process.stdout.close()
        fake.runs["run_0000"].emit("message.delta", delta="more")
        assert command.process.wait(20) == 141


def asked(fake: FakeServer) -> list[str]:
    """The stops and kills that the server was asked for, in order."""
    return [path.rpartition("/")[2] for _, path, _ in fake.asked if path.endswith(("/stop", "/kill"))]
