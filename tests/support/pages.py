"""Pages of `docs/` as a reader tries them: files are written, the configuration is served, commands are run.

A block is fenced, and a file's has its name as the title: ```python title="agent.py". What is declared in all `toml`
blocks is the configuration. In a `console` block, `$ ` is a command and the rest what it prints; `…` is anything.
"""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from .server import Server

DOCS = Path(__file__).parents[2] / "docs"
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


class Page:
    """One page."""

    def __init__(self, name: str) -> None:
        text = (DOCS / name).read_text()
        self._blocks = [
            Block(each["language"], each["title"], each["text"], text.count("\n", 0, each.start()) + 1)
            for each in _BLOCK.finditer(text)
        ]

    @property
    def consoles(self) -> list[Block]:
        """What a reader types, and sees."""
        return [block for block in self._blocks if block.language == "console"]

    @property
    def declared(self) -> dict[str, Any]:
        """The configuration."""
        return tomllib.loads("".join(block.text for block in self._blocks if block.language == "toml"))

    def write_files(self, folder: Path) -> None:
        """All files of the page but the configuration."""
        for block in self._blocks:
            if block.title is not None and block.language != "toml":
                (folder / block.title).write_text(block.text)
                (folder / block.title).chmod(0o755)


def check(server: Server, console: Block) -> None:
    """Run the block's commands in one shell in the server's folder; fails if they print anything else."""
    commands = [line.removeprefix("$ ") for line in console.text.splitlines() if line.startswith("$ ")]
    assert commands
    script = "\n".join(f"echo {_quoted('$ ' + command)}\n{command}" for command in commands)
    printed = "\n".join(line.rstrip() for line in _shell(server, script).splitlines()) + "\n"
    stated = ".*".join(re.escape(part) for part in console.text.split("…"))
    assert re.fullmatch(stated, printed, re.DOTALL), f"{printed}\n── is not ──\n{console.text}"


def _shell(server: Server, script: str) -> str:
    """What a shell prints that knows `runward`, `python` and the server."""
    programs = f'python() {{ "{sys.executable}" "$@"; }}\nrunward() {{ python -P -m runward "$@"; }}\n'
    variables = {**os.environ, "RUNWARD_URL": server.url, "NO_COLOR": "1", "LC_ALL": "C.UTF-8"}
    return subprocess.run(
        ["sh", "-c", programs + script],
        cwd=server.folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    ).stdout


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
