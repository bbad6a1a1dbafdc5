"""What an operator sees at a real terminal: `ps --watch`, `top`, a stop that climbs, the demo."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..support.server import Server, agent, running
from .screens import Screen, at_screen

GRACE_S = 0.4


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    runs = {"interrupt_grace_s": GRACE_S, "terminate_grace_s": GRACE_S}
    config = {"runs": runs, "agents": {"act": agent("acting", "act")}}
    with running(tmp_path_factory.mktemp("terminals"), config) as server:
        yield server


@pytest.fixture
def server(house: Server) -> Iterator[Server]:
    with house.without_leftovers():
        yield house
        house.client.ask("POST", "/v1/runs/stop", {"all": True, "mode": "kill"})


def words(server: Server, *words: str) -> list[str]:
    return [*words, "--state", str(server.folder / "state")]


def row_of(screen: Screen, run_id: str) -> list[str]:
    """The cells of the run's row, as far as they have no blanks."""
    (line,) = (line for line in screen.lines if run_id[:12] in line)
    return line[line.index(run_id[:12]) :].split()


def test_ps_watch_looks_again_until_ctrl_c(server: Server) -> None:
    run_id = server.client.begun("act", "stubborn")
    with at_screen(words(server, "ps", "--watch", "--interval", "0.2"), {}) as screen:
        screen.await_showing(f"{server.url}  1 runs", run_id)
        assert row_of(screen, run_id)[1:3] == ["act", "running"]
        another = server.client.begun("act", "stubborn")
        screen.await_showing(another, run_id)
        server.client.kill(run_id)
        screen.await_showing("1 runs", without=run_id)
        screen.press("\x03")
        assert screen.await_end() == 130


def test_ps_watch_that_is_terminated_leaves_the_terminal_as_it_was(server: Server) -> None:
    with at_screen(words(server, "ps", "--watch"), {}) as screen:
        screen.await_showing("0 runs")
        screen.command.process.send_signal(signal.SIGTERM)
        assert screen.await_end() == 128 + signal.SIGTERM


def test_a_stop_climbs_before_the_operators_eyes_and_then_the_proof(server: Server) -> None:
    run_id = server.client.begun("act", "stubborn")
    with at_screen(words(server, "stop", run_id), {}) as screen:
        for rung in ("interrupt", "terminate", "kill"):
            assert "proof" not in screen.await_showing(f" s  {rung}") or rung == "kill"
        shown = screen.await_showing("ended by the kill rung in", "proof: ", "no survivors")
        stamps = [float(found) for found in re.findall(r"(\d+\.\d\d) s  ", shown)]
        assert stamps == sorted(stamps)
        assert stamps[2] >= 2 * GRACE_S
        assert screen.await_end() == 0


def test_a_person_is_asked_before_runs_end_that_he_did_not_name(server: Server) -> None:
    run_id = server.client.begun("act", "stubborn")
    with at_screen(words(server, "kill", "--all"), {}) as screen:
        screen.await_showing(run_id, "End this run? [y/N]")
        screen.press("n\n")
        assert screen.await_end() == 1
        assert "nothing was stopped" in screen.said
    assert server.client.run(run_id)["status"] == "running"
    with at_screen(words(server, "kill", "--all"), {}) as screen:
        screen.await_showing("[y/N]")
        screen.press("y\n")
        screen.await_showing("no survivors")
        assert screen.await_end() == 0


@pytest.mark.slow
def test_top_shows_stops_kills_and_looks_into_runs(server: Server) -> None:
    first, second = server.client.begun("spin"), server.client.begun("count", "go")
    with at_screen(words(server, "top", "--interval", "0.3"), {}) as screen:
        screen.await_showing("2 runs (2 running)", first, second, "EVENTS/S")
        screen.press("c")  # by CPU, and the one that spins has most
        assert "spin" in next(line for line in screen.lines if "run_" in line and "spin" in line)
        screen.press("i")
        screen.await_showing("killed by", "processes")
        screen.press("q")
        screen.await_showing("2 runs (2 running)")
        screen.press("t")
        screen.await_showing("in spin")
        screen.press("\x1b")
        screen.await_showing("2 runs (2 running)")
        screen.press("s")
        screen.await_showing(f"Stop {first} (spin, running)?")
        screen.press("n")
        screen.await_showing("2 runs (2 running)", without="[y/N]")
        screen.press("s")
        screen.await_showing(f"Stop {first} (spin, running)?")
        screen.press("y")
        screen.await_showing("terminate")
        screen.await_showing("ended by the kill rung", "1 runs (1 running)")
        assert server.client.run(first)["reason"] == "killed"
        screen.press("k")
        screen.await_showing(f"Kill {second}")
        screen.press("y")
        screen.await_showing("0 runs")
        screen.press("q")
        assert screen.await_end() == 0


@pytest.mark.slow
@pytest.mark.parametrize(("end", "code"), [("\x03", 130), ("SIGTERM", 143)])
def test_top_gives_the_terminal_back(server: Server, end: str, code: int) -> None:
    with at_screen(words(server, "top"), {}) as screen:
        screen.await_showing("0 runs", "quit")
        if end == "SIGTERM":
            screen.command.process.send_signal(signal.SIGTERM)
        else:
            screen.press(end)
        assert screen.await_end() == code


@pytest.mark.slow
def test_top_outlives_its_server(tmp_path: Path) -> None:
    with running(tmp_path) as server, at_screen(words(server, "top", "--interval", "0.2"), {}) as screen:
        screen.await_showing("0 runs")
        server.signal(signal.SIGTERM)
        server.await_end()
        screen.await_showing("trying again")
        screen.press("q")
        assert screen.await_end() == 0


@pytest.mark.slow
def test_the_demo_is_left_by_ctrl_c_and_leaves_the_terminal_as_it_was() -> None:
    with at_screen(["demo"], {}) as screen:
        screen.await_showing("spin")
        screen.press("\x03")
        assert screen.await_end() == 130
