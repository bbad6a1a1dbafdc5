"""What `import runward` gives, and what it does not load."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import runward

HOMES: dict[str, str] = vars(runward)["_HOMES"]


@pytest.mark.parametrize("name", HOMES)
def test_every_public_name_is_the_one_of_its_home(name: str) -> None:
    assert getattr(runward, name) is getattr(importlib.import_module(f"runward.{HOMES[name]}"), name)


def test_type_checkers_and_readers_are_told_the_same_names() -> None:
    text = Path(runward.__file__).read_text()
    (typed,) = (
        node for node in ast.parse(text).body if isinstance(node, ast.If) and isinstance(node.test, ast.Name)
    )
    told = {
        alias.name: node.module
        for node in typed.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert told == HOMES
    assert sorted(runward.__all__) == sorted([*HOMES, "__version__"])
    assert set(runward.__all__) <= set(dir(runward))


def test_a_name_that_does_not_exist_is_told_as_python_does() -> None:
    with pytest.raises(AttributeError, match="module 'runward' has no attribute 'Clinet'"):
        _ = runward.Clinet  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "absent"),
    [
        ("__version__", {"msgspec", "typing"}),
        ("Client", {"aiohttp", "asyncio", "dill", "zmq", "typer", "sqlite3"}),
        ("Interrupted", {"aiohttp", "dill", "zmq", "http.client"}),
        ("Server", {"aiohttp", "zmq", "typer", "sqlite3"}),
    ],
)
def test_who_asks_for_one_name_does_not_load_what_others_need(name: str, absent: set[str]) -> None:
    question = f"import sys, runward; runward.{name}; print({absent} & sys.modules.keys() or 'none')"
    answer = subprocess.run(
        [sys.executable, "-S", "-P", "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{question}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout == "none\n"
