"""A child is light: it imports the script that was started and every package on the way to its target."""

import subprocess
import sys

import pytest

HEAVY = ("aiohttp", "zmq", "sqlite3", "typer", "rich", "runward.actors.supervisor")


@pytest.mark.parametrize("module", ["runward", "runward.actors", "runward.bin.main"])
def test_what_every_child_may_have_to_import_loads_nothing_heavy(module: str) -> None:
    question = f"import sys, {module}; print([name for name in {HEAVY} if name in sys.modules])"
    answer = subprocess.run(
        [sys.executable, "-P", "-c", question], capture_output=True, text=True, check=True
    )
    assert answer.stdout == "[]\n"
