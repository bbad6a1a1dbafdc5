"""The programs in `examples/`, each declared as its own first comment says."""

import re
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..support.client import Client
from ..support.server import Server, running

EXAMPLES = Path(__file__).parents[2] / "examples"


def _declared(file: Path) -> dict[str, Any]:
    """The configuration in its first comment: what is indented by three."""
    lines = re.findall(r"^(?:#|//)   (.*)$", file.read_text(), re.MULTILINE)
    agents: dict[str, Any] = tomllib.loads("\n".join(lines))["agents"]
    return agents


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("examples")
    shutil.copytree(EXAMPLES, folder / "examples")
    agents = {name: spec for file in sorted(EXAMPLES.iterdir()) for name, spec in _declared(file).items()}
    with running(folder, {"agents": agents}) as server:
        yield server


@pytest.fixture
def client(house: Server) -> Client:
    return house.client


@pytest.fixture
def node() -> None:
    if shutil.which("node") is None:
        pytest.skip("node is not installed, so its example can't be run")


def test_the_shell_shouts(client: Client) -> None:
    run = client.ended(client.start("shout", "no need to shout"))
    assert (run["status"], run["output"]) == ("completed", "NO NEED TO SHOUT ")
    assert run["exit"]["stderr_tail"] == "shouting: no need to shout\n"


@pytest.mark.usefixtures("node")
def test_node_counts_down(client: Client) -> None:
    run = client.ended(client.start("countdown", "1"))
    assert (run["status"], run["output"]) == ("completed", {"left": 0}), run
    assert run["usage"]["output_tokens"] == 1


@pytest.mark.usefixtures("node")
def test_node_stops_when_it_is_asked_to(client: Client) -> None:
    run = client.stopped(client.begun("countdown", "1000"))
    assert (run["status"], run["reason"], run["exit"]["rung"]) == ("cancelled", "interrupted", "interrupt")
    assert 0 < run["output"]["left"] <= 1000
    assert run["exit"]["stderr_tail"] == "asked to stop: Stop requested via API\n"


@pytest.mark.usefixtures("node")
def test_node_fails_with_an_exit_code(client: Client) -> None:
    run = client.ended(client.start("countdown", "many"))
    assert (run["status"], run["reason"], run["exit"]["code"]) == ("failed", "exit_code", 2)
    assert run["exit"]["stderr_tail"] == "not a number to count down from: many\n"
