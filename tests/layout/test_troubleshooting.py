"""docs/troubleshooting.md quotes what the code says."""

import ast
import re

import pytest

from runward.actors.records import Reason

from .sources import CHECKOUT, source_files

PAGE = (CHECKOUT / "docs" / "troubleshooting.md").read_text()
QUOTED = [
    quote
    for row in PAGE.splitlines()
    if row.startswith("| `") and not row.startswith("| `reason`")
    for quote in re.findall(r"`([^`]+)`", row.split(" | ")[0])
]


def spoken() -> str:
    """Every text in the code; where something is put in, there is "…"."""
    return "\n".join(text for file in source_files() for text in texts(ast.parse(file.read_text())))


def texts(tree: ast.AST) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            found.append(
                "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
    return found


SPOKEN = spoken()


@pytest.mark.parametrize("quote", QUOTED)
def test_a_message_is_one_that_the_code_has(quote: str) -> None:
    if quote in set(Reason) | {"runward.toml"}:
        return
    parts = [part.strip() for part in re.split("…|signal 9", quote) if part.strip(" …?()")]
    assert parts
    for part in parts:
        assert part in SPOKEN, part


def test_there_are_some() -> None:
    assert len(QUOTED) > 20
