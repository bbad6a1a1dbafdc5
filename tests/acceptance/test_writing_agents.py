"""`docs/writing-agents.md`: every agent on it runs as it stands, and does what the page says."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from ..support import pages
from ..support.server import Server, running

PAGE = pages.Page("writing-agents.md")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("writing")
    PAGE.write_files(folder)
    config = {**PAGE.declared, "runs": {"builtin_agents": ["echo"], "start_timeout_s": 60.0}}
    with running(folder, config) as server:
        yield server


@pytest.mark.parametrize("console", PAGE.consoles, ids=lambda console: f"line-{console.line}")
def test_commands_print_what_the_page_says(house: Server, console: pages.Block) -> None:
    pages.check(house, console)


def test_every_kind_of_agent_has_an_example(house: Server) -> None:
    examples = ("words", "lookups", "countdown", "ticker", "parrot", "hello")
    for name in examples:
        house.client.ended(house.client.start(name, "1"))
    kinds = {each["name"]: each["kind"] for each in house.client.ask("GET", "/v1/agents").json["data"]}
    assert [kinds[name] for name in examples] == [
        *("function", "async_function", "generator", "async_generator", "conversation", "command")
    ]


def test_the_test_of_the_page_passes(house: Server) -> None:
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_words.py"],
        cwd=house.folder,
        capture_output=True,
        text=True,
        timeout=pages.PATIENCE_S,
        check=False,
    )
    assert tested.returncode == 0, tested.stdout
