"""`docs/writing-agents.md` as a reader would try it: its files are written, its configuration served, its commands
run, and what they print is what it says. `…` in it stands for anything."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from runward.actors.entrypoints import Kind

from ..support.server import Server, running

PAGE = Path(__file__).parents[2] / "docs" / "writing-agents.md"
PATIENCE_S = 50.0
_BLOCK = re.compile(
    r'^```(?P<language>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^```$', re.MULTILINE | re.DOTALL
)


class Block(NamedTuple):
    """One fenced block, and the line that it begins at."""

    language: str
    title: str | None
    text: str
    line: int


def _blocks() -> list[Block]:
    page = PAGE.read_text()
    return [
        Block(each["language"], each["title"], each["text"], page.count("\n", 0, each.start()) + 1)
        for each in _BLOCK.finditer(page)
    ]


CONSOLES = [
    pytest.param(block.text, id=f"line-{block.line}") for block in _blocks() if block.language == "console"
]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server in a folder with all the files of the page, and the agents that it declares."""
    folder = tmp_path_factory.mktemp("writing")
    for block in _blocks():
        if block.title is not None and block.language != "toml":
            (folder / block.title).write_text(block.text)
    config = {**_declared(), "runs": {"builtin_agents": ["echo"], "start_timeout_s": 60.0}}
    with running(folder, config) as server:
        yield server


def _declared() -> dict[str, Any]:
    return tomllib.loads("".join(block.text for block in _blocks() if block.language == "toml"))


def _shell(house: Server, script: str) -> "subprocess.CompletedProcess[str]":
    """Run by a shell in the folder, which knows `runward` and the server."""
    program = f'runward() {{ "{sys.executable}" -P -m runward "$@"; }}\n'
    variables = {**os.environ, "RUNWARD_URL": house.url, "NO_COLOR": "1", "LC_ALL": "C.UTF-8"}
    return subprocess.run(
        ["sh", "-c", program + script],
        cwd=house.folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


@pytest.mark.parametrize("console", CONSOLES)
def test_commands_print_what_the_page_says(house: Server, console: str) -> None:
    commands = [line.removeprefix("$ ") for line in console.splitlines() if line.startswith("$ ")]
    assert commands
    printed = _shell(
        house, "\n".join(f"echo {_quoted('$ ' + command)}\n{command}" for command in commands)
    ).stdout
    stated = ".*".join(re.escape(part) for part in console.split("…"))
    lines = "\n".join(line.rstrip() for line in printed.splitlines()) + "\n"
    assert re.fullmatch(stated, lines, re.DOTALL), f"{lines}\n── is not ──\n{console}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def test_every_kind_of_agent_has_an_example(house: Server) -> None:
    examples = ("words", "lookups", "countdown", "ticker", "parrot", "hello")
    for name in examples:
        house.client.ended(house.client.start(name, "1"))
    kinds = {each["name"]: each["kind"] for each in house.client.ask("GET", "/v1/agents").json["data"]}
    assert {kinds[name] for name in examples} == {*Kind, "command"}


def test_the_test_of_the_page_passes(house: Server) -> None:
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_words.py"],
        cwd=house.folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert tested.returncode == 0, tested.stdout
