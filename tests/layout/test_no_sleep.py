"""No test sleeps to wait: it waits for a condition with a deadline (`support/waiting.py`, `http/eventually.py`)."""

import ast
from pathlib import Path

from .sources import CHECKOUT

TESTS = CHECKOUT / "tests"
#: Sleeps in files of tests that wait for nothing: a rate, an agent's own work, the pause of a loop with a deadline.
ALLOWED = {
    "actors/journal/test_timing.py": 1,
    "embedding/test_run.py": 1,
    "bench/test_bench.py": 1,
    "chaos/test_root.py": 1,  # before a shot at a random moment
}


def _sleeps(path: Path) -> list[int]:
    """The lines that call something named sleep, unless for no time at all."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute | ast.Name)
        and (node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id) == "sleep"
        and not (node.args and isinstance(node.args[0], ast.Constant) and node.args[0].value == 0)
    ]


def test_no_test_sleeps_to_wait() -> None:
    found = {str(path.relative_to(TESTS)): _sleeps(path) for path in sorted(TESTS.rglob("test_*.py"))}
    more = {name: lines for name, lines in found.items() if len(lines) > ALLOWED.get(name, 0)}
    assert more == {}, "lines that sleep"
