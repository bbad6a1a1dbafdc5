"""Ten hermes agents at once, here and on hermes' own server: how each answers meanwhile; and what a stop leaves.

What is measured is printed (`pytest --slow -s`) and kept in the report of the tests; a test fails only for what
must hold on any machine.
"""

import os
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from ..support import census
from ..support.client import Client
from ..support.extras import python_with
from ..support.language_model import LanguageModel
from ..support.server import Server, running
from ..support.waiting import until
from .houses import VARIABLES, reaching
from .started import free_port, started
from .test_hermes import AGENT, _terminal

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1000)]

TEN = 10
#: How many its own server has at work: its agents are threads of asyncio's own pool; the others wait.
TEN_OF_ITS_OWN = min(TEN, (os.cpu_count() or 1) + 4)
PATIENCE_S = 300.0  # ten of them, on a busy machine
EVERY_S = 0.02

Record = Callable[[str, object], None]


@pytest.fixture(scope="module")
def house(model: LanguageModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = {
        "agents": {"hermes": {**AGENT, **reaching(model.url)}},
        "runs": {"builtin_agents": ["echo"]},
    }
    folder = tmp_path_factory.mktemp("tens")
    with running(folder, config, python=python_with("hermes"), variables=VARIABLES) as server:
        yield server


class OwnServer(NamedTuple):
    """hermes' own."""

    url: str
    client: Client
    pid: int

    @property
    def threads(self) -> int:
        """How many it has: its agents are threads."""
        return len(os.listdir(f"/proc/{self.pid}/task"))


@pytest.fixture
def figure(request: pytest.FixtureRequest, record_property: Record) -> Record:
    """Print what was measured, and keep it."""

    def keep(name: str, value: object) -> None:
        record_property(name, value)
        capturing = request.config.pluginmanager.getplugin("capturemanager")
        with capturing.global_and_fixture_disabled():
            sys.stdout.write(f"\n{name}: {value}\n")

    return keep


@contextmanager
def own_server(model: LanguageModel, folder: Path) -> Iterator[OwnServer]:
    """hermes' own, in a home of its own."""
    variables = {
        "HOME": str(folder),
        "HERMES_HOME": str(folder / "home"),
        "TMPDIR": str(folder),
        "HERMES_DISABLE_LAZY_INSTALLS": "1",
        "PYTHONPATH": "",
        "NO_PROXY": "127.0.0.1",
    }
    arguments = (model.url, str(free_port()))
    python = python_with("hermes")
    with started(python, "hermes_server", *arguments, cwd=folder, variables=variables) as server:
        yield OwnServer(server.url, Client(server.url, "a key that is long enough"), server.pid)


@contextmanager
def health_asked(client: Client) -> Iterator[list[float]]:
    """While the block lasts, 50 times a second: how many ms each answer took."""
    took_ms: list[float] = []
    ended = threading.Event()

    def ask() -> None:
        while not ended.wait(EVERY_S):
            began = time.monotonic()
            assert client.ask("GET", "/health").status == 200
            took_ms.append((time.monotonic() - began) * 1000)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield took_ms
    finally:
        ended.set()
        thread.join()


def p99(took_ms: list[float]) -> float:
    return round(sorted(took_ms)[int(len(took_ms) * 0.99)], 1)


def start(client: Client, text: str, count: int = TEN) -> list[str]:
    """So many runs; their ids."""
    found = []
    for _ in range(count):
        answer = client.ask("POST", "/v1/runs", {"input": text, "agent": "hermes"})
        assert answer.status == 202, answer.body
        found.append(answer.json["run_id"])
    return found


def ended(client: Client, runs: list[str], status: str) -> None:
    """Wait until all have ended so."""
    left = set(runs)

    def done() -> bool:
        left.difference_update([each for each in left if client.run(each)["status"] == status])
        return not left

    until(done, PATIENCE_S, lambda: f"{status} of {[client.run(each) for each in left][:1]}")


def sleepers(mark: str) -> list[int]:
    """The processes that bear this mark: what the tools of a test started, wherever they are by now."""
    named = [each for each in census.processes() if each.state != "Z" and mark in each.title]
    return [each.pid for each in named if each.title.startswith("sleep")]


def hanging(mark: str) -> str:
    """A tool that hangs, and another process that gets away from it. Neither lasts for ever."""
    return _terminal(f"(setsid sleep 600 {mark} &); sleep 600 {mark}")


@contextmanager
def swept(mark: str) -> Iterator[None]:
    """Whatever becomes of the block, its sleepers end with it."""
    try:
        yield
    finally:
        for pid in sleepers(mark):
            os.kill(pid, signal.SIGKILL)


def all_hang(client: Client, mark: str, at_work: int = TEN) -> list[str]:
    """Start ten; their ids, once so many are in their tools."""
    runs = start(client, hanging(mark))
    wanted = 2 * at_work
    until(lambda: len(sleepers(mark)) == wanted, PATIENCE_S, lambda: f"{len(sleepers(mark))} of {wanted}")
    return runs


def a_mark() -> str:
    """The end of a number of seconds that is nobody else's."""
    return f"0.{uuid.uuid4().int % 10**12}"


def test_ten_at_once_finish(house: Server, model: LanguageModel, tmp_path: Path, figure: Record) -> None:
    work = _terminal("sleep 0.5; echo hi")
    with house.without_leftovers(), health_asked(house.client) as took_ms:
        ended(house.client, start(house.client, work), "completed")
    figure("health_p99_ms", p99(took_ms))
    with own_server(model, tmp_path) as beside, health_asked(beside.client) as took_ms:
        ended(beside.client, start(beside.client, work), "completed")
    figure("health_p99_ms_of_hermes_server", p99(took_ms))


def test_ten_stopped_in_tools_that_hang_leave_nothing(house: Server, figure: Record) -> None:
    mark = a_mark()
    client = house.client
    with house.without_leftovers():
        runs = all_hang(client, mark)
        began = time.monotonic()
        answer = client.ask("POST", "/v1/runs/stop", {"agent": "hermes"})
        assert set(answer.json["stopping"]) == set(runs)
        ended(client, runs, "cancelled")
        figure("stopped_within_s", round(time.monotonic() - began, 2))
        assert sleepers(mark) == []
    assert {client.run(each)["exit"]["rung"] for each in runs} == {"interrupt"}


def test_its_own_server_says_cancelled_of_ten_that_have_left_processes(
    model: LanguageModel, tmp_path: Path, figure: Record
) -> None:
    mark = a_mark()
    with swept(mark), own_server(model, tmp_path) as beside:
        client, threads = beside.client, beside.threads
        runs = all_hang(client, mark, TEN_OF_ITS_OWN)
        began = time.monotonic()
        with health_asked(client) as took_ms:
            for each in runs:
                assert client.stop(each).json["status"] == "stopping"
            ended(client, runs, "cancelled")
        figure("hermes_server_stopped_within_s", round(time.monotonic() - began, 2))
        figure("health_p99_ms_of_hermes_server_while_it_stops", p99(took_ms))
        figure("threads_left_by_hermes_server", beside.threads - threads)
        left = len(sleepers(mark))
        figure("processes_left_by_hermes_server", left)
        # Those that have left the group of their tool, which is what it kills: one of each run at work.
        assert left >= TEN_OF_ITS_OWN
