"""Hostile programs in C, compiled once for the tests of one run."""

import shutil
import subprocess
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "programs"


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every program of `programs/*.c`, by its name."""
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("no gcc here (Debian: gcc libc6-dev)")
    folder = tmp_path_factory.mktemp("compiled")
    for source in PROGRAMS.glob("*.c"):
        options = ["-O2", "-Wall", "-Wextra", "-Werror", "-pthread"]
        subprocess.run([compiler, *options, "-o", str(folder / source.stem), str(source)], check=True)
    return folder
