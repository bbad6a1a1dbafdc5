"""`docs/faults.md` names tests that are there, and every test that is here."""

import ast
import re
from pathlib import Path

from ..layout.sources import CHECKOUT

HERE = Path(__file__).parent
TABLE = (CHECKOUT / "docs" / "faults.md").read_text()
NAMED = re.findall(r"`([a-z_/]+\.py)::(test_\w+)`", TABLE)


def _tests(path: Path) -> set[str]:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    tree = ast.parse(path.read_text())
    return {
        node.name for node in ast.walk(tree) if isinstance(node, functions) and node.name.startswith("test_")
    }


def test_every_test_that_the_table_names_is_there() -> None:
    found = {file: _tests(CHECKOUT / "tests" / file) for file in {file for file, _ in NAMED}}
    assert [f"{file}::{name}" for file, name in NAMED if name not in found[file]] == []


def test_every_test_of_a_fault_is_in_the_table() -> None:
    here = {
        (f"{HERE.name}/{path.name}", name)
        for path in HERE.glob("test_*.py")
        if path != Path(__file__)
        for name in _tests(path)
    }
    assert sorted(here - set(NAMED)) == []


def test_every_row_of_the_table_has_a_fault_an_outcome_and_a_test() -> None:
    rows = [line for line in TABLE.splitlines() if line.startswith("| ") and not line.startswith("| fault |")]
    assert len(rows) > 60
    for row in rows:
        fault, outcome, tests = (cell.strip() for cell in row.strip("|").split("|"))
        assert fault, row
        assert outcome, row
        assert re.fullmatch(r"(`[a-z_/]+\.py::test_\w+` ?)+", tests), row
