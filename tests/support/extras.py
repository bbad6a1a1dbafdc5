"""Environments with the heavy extras, which the checks' own does not have: made from PyPI, once, and kept.

Each lies in `.venv-extras/` of the checkout, beside a stamp that says what it was made of.
"""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from runward.bin.checkout import environment

CHECKOUT = Path(__file__).parents[2]
MADE_WITHIN_S = 900.0


def python_with(*extras: str) -> str:
    """The interpreter of an environment with runward and these extras; blocks for minutes where it is made.

    Where PyPI is out of reach the tests are left out, which fails where CI must run all.
    """
    folder = CHECKOUT / ".venv-extras" / "-".join(extras)
    python = str(folder / "bin" / "python")
    basis = _basis(extras, folder)
    stamp = folder / "made-of"
    if stamp.exists() and stamp.read_text() == basis:
        return python
    try:
        if not os.access(python, os.X_OK):
            _run(environment.making(str(folder)))
        _run([*environment.pip(str(folder)), "-e", f"{CHECKOUT}[{','.join(extras)}]"])
    except subprocess.CalledProcessError as error:
        problem = f"an environment with {', '.join(extras)} could not be made: {' '.join(error.cmd)} failed"
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(f"{problem}\n{error.stderr}")
        pytest.skip(problem)
    stamp.write_text(basis)
    return python


def _basis(extras: tuple[str, ...], folder: Path) -> str:
    """What it can't outlive."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(each for name in extras for each in project["optional-dependencies"][name]),
    ]
    return "\n".join([str(folder), os.path.realpath(sys.executable), *wanted])


def _run(command: list[str]) -> None:
    print(f"$ {' '.join(command)}", file=sys.__stderr__, flush=True)
    # Without what pytest's own caller says about Python's path: the environment has runward by itself.
    env = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(
        command, cwd=CHECKOUT, env=env, capture_output=True, text=True, timeout=MADE_WITHIN_S, check=True
    )
