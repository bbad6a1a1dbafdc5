"""Ten hermes agents at once, here and on hermes' own server: how each answers meanwhile; and what is left here.

What is measured is recorded with the test (`record_property`); a test fails only for what must hold on any machine.
"""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

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


@contextmanager
def own_server(model: LanguageModel, folder: Path) -> Iterator[Client]:
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
    with started(python_with("hermes"), "hermes_server", *arguments, cwd=folder, variables=variables) as url:
        yield Client(url, "a key that is long enough")


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


def test_ten_at_once_finish(
    house: Server, model: LanguageModel, tmp_path: Path, record_property: Record
) -> None:
    work = _terminal("sleep 0.5; echo hi")
    with house.without_leftovers(), health_asked(house.client) as took_ms:
        ended(house.client, start(house.client, work), "completed")
    record_property("health_p99_ms", p99(took_ms))
    with own_server(model, tmp_path) as beside, health_asked(beside) as took_ms:
        ended(beside, start(beside, work), "completed")
    record_property("health_p99_ms_of_hermes_server", p99(took_ms))


def test_ten_stopped_in_tools_that_hang_leave_nothing(house: Server, record_property: Record) -> None:
    mark = f"0.{uuid.uuid4().int % 10**12}"
    client = house.client
    with house.without_leftovers():
        runs = start(client, hanging(mark))
        until(
            lambda: len(sleepers(mark)) == 2 * TEN, PATIENCE_S, lambda: f"{len(sleepers(mark))} of {2 * TEN}"
        )
        began = time.monotonic()
        answer = client.ask("POST", "/v1/runs/stop", {"agent": "hermes"})
        assert set(answer.json["stopping"]) == set(runs)
        ended(client, runs, "cancelled")
        record_property("stopped_within_s", round(time.monotonic() - began, 2))
        assert sleepers(mark) == []
    assert {client.run(each)["exit"]["rung"] for each in runs} == {"interrupt"}
