"""Writes docs/configuration.md: `python -m runward.config.reference > docs/configuration.md`. A test compares them.

The order, the defaults and the words are those of runward.toml, which a test holds equal to the sections; what a
value may be is read from the sections' types, as error messages read it.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from .schema import keys_of, plain_keys, words
from .sections import AgentSpec, AuthKey

SHIPPED = Path(__file__).parent / "runward.toml"
AGENT, KEY = "agents.NAME", "auth.keys"

_TABLE = re.compile(r"#?\[+([a-z.]+)\]+")
_KEY = re.compile(r"#?([a-z_]+) = (.*)")


class Entry(NamedTuple):
    """Keys of one table that stand together, each with its default as TOML has it, under one comment."""

    table: str
    keys: list[tuple[str, str]]
    comment: str


def markdown() -> str:
    """The whole page."""
    head, _, rest = SHIPPED.read_text().partition("\n\n")
    parts = ["# Configuration", "*Made from `config/runward.toml` and the settings' types.*", _preface(head)]
    table = ""
    for entry in _entries(rest):
        if entry.table != table:
            table = entry.table
            parts.append(f"## `[{'[' * (table == KEY)}{table}{']' * (table == KEY)}]`")
        if entry.keys:
            parts.append("\n".join(_line(entry.table, name, default) for name, default in entry.keys))
        if entry.comment:
            parts.append(_paragraph(entry.comment))
    return "\n\n".join(parts) + "\n"


def _preface(head: str) -> str:
    lines = [line.removeprefix("#").removeprefix(" ") for line in head.splitlines()[1:]]
    return "```text\n" + "\n".join(lines).strip() + "\n```"


def _entries(text: str) -> Iterator[Entry]:
    table, comment, keys = "", [], []  # type: str, list[str], list[tuple[str, str]]
    for line in [*text.splitlines(), ""]:
        said, key, named = re.match(r"# (.*)", line), _KEY.fullmatch(line), _TABLE.fullmatch(line)
        if key and not said:
            keys.append((key[1], key[2]))
            continue
        if keys:
            yield Entry(table, keys, " ".join(comment))
            comment, keys = [], []
        if named:
            new = AGENT if named[1].startswith("agents.") else named[1]
            if comment and new not in (AGENT, KEY):  # what stands above a table is about it
                yield Entry(table, [], " ".join(comment))
                comment = []
            table = new
            if comment:
                yield Entry(table, [], " ".join(comment))
                comment = []
        elif said:
            comment.append(said[1])


def _line(table: str, name: str, default: str) -> str:
    key = f"{table}.{name}"
    kind = _kind(table, name)
    parts = [f"- **`{key}`**", _escaped(words(kind, name))]
    if table != KEY:
        parts.append(f"default `{default}`")
    if key in plain_keys():
        parts.append(f"`RUNWARD_{table.upper()}_{name.upper()}`")
    return " · ".join(parts)


def _kind(table: str, name: str) -> Any:
    if table == AGENT:
        return keys_of(AgentSpec)[name].kind
    if table == KEY:
        return keys_of(AuthKey)[name].kind
    return plain_keys()[f"{table}.{name}"]


def _paragraph(comment: str) -> str:
    return "  " + _escaped(comment)


def _escaped(text: str) -> str:
    """As Markdown, but for what stands between backticks."""
    parts = text.split("`")
    parts[::2] = [re.sub(r"([*_<|])", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)


if __name__ == "__main__":
    sys.stdout.write(markdown())
