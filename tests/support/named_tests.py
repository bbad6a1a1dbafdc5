"""Tests that a page of the documentation names, as `folder/file.py::test_name`, and whether they are there."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parent.parent
NAME = r"`[a-z0-9_/]+\.py::test_\w+`"


def named(page: str) -> list[tuple[str, str]]:
    """File and name of each, in order."""
    return re.findall(r"`([a-z0-9_/]+\.py)::(test_\w+)`", page)


def defined_in(path: Path) -> set[str]:
    """The names of the tests that a file defines."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    tree = ast.parse(path.read_text())
    return {
        node.name for node in ast.walk(tree) if isinstance(node, functions) and node.name.startswith("test_")
    }


def missing(page: str) -> list[str]:
    """Those that the page names and that are not there."""
    files = {file for file, _ in named(page)}
    found = {file: defined_in(TESTS / file) if (TESTS / file).exists() else set() for file in files}
    return [f"{file}::{name}" for file, name in named(page) if name not in found[file]]
