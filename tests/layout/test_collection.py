"""How pytest finds the tests: the guards of `conftest.py`; and children find what test modules define."""

import multiprocessing
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from .sources import CHECKOUT

PYTEST = str(Path(sys.executable).with_name("pytest"))


def run_pytest(command: Sequence[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    # Without what this run's own pytest put there for its children.
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    options = ["-p", "no:cacheprovider", "--timeout=30"]
    return subprocess.run(
        [*command, *options], cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=50
    )


def double(number: int) -> int:
    return 2 * number


def test_a_spawned_child_finds_what_a_test_module_defines() -> None:
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        assert pool.submit(double, 21).result() == 42


@pytest.mark.parametrize(
    ("command", "mode"),
    [
        ((PYTEST,), "importlib"),  # without `pythonpath` in pyproject.toml a Pool would hang here for ever
        ((sys.executable, "-m", "pytest"), "importlib"),
        ((sys.executable, "-m", "pytest"), "prepend"),
    ],
    ids=["pytest importlib", "python -m pytest importlib", "python -m pytest prepend"],
)
def test_children_find_it_however_pytest_was_started(command: tuple[str, ...], mode: str) -> None:
    test = f"{__file__}::{test_a_spawned_child_finds_what_a_test_module_defines.__name__}"
    answer = run_pytest([*command, f"--import-mode={mode}", test], CHECKOUT)
    assert "1 passed" in answer.stdout, answer.stdout + answer.stderr


@pytest.mark.parametrize(
    ("added", "taken_away", "told"),
    [
        (["http/__init__.py"], [], "http/__init__.py hides the standard library's http"),
        (["tests/http/__init__.py"], ["tests/__init__.py"], "tests/__init__.py is missing"),
    ],
    ids=["http/__init__.py", "tests/http without tests/__init__.py"],
)
def test_a_layout_that_hides_the_standard_library_is_told_before_anything_else(
    tmp_path: Path, added: list[str], taken_away: list[str], told: str
) -> None:
    for name in [*added, "tests/__init__.py", "tests/test_anything.py"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for name in taken_away:
        (tmp_path / name).unlink()
    shutil.copy(CHECKOUT / "tests" / "conftest.py", tmp_path / "tests")
    answer = run_pytest([PYTEST], tmp_path)
    assert answer.returncode == 4
    assert told in answer.stdout + answer.stderr
