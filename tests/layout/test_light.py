"""A child is light: it imports the script that was started and every package on the way to its target."""

import subprocess
import sys

import pytest

HEAVY = ("aiohttp", "zmq", "sqlite3", "typer", "rich", "runward.actors.supervisor")
LIBRARIES = ("_hashlib", "_ssl", "_lzma", "_bz2", "zlib", "_sqlite3", "_asyncio")  # that each would map


def loaded_of(names: tuple[str, ...], module: str) -> str:
    """Which of these an import of the module loads, in an interpreter of its own."""
    question = f"import sys, {module}; print([name for name in {names} if name in sys.modules])"
    answer = subprocess.run(
        [sys.executable, "-P", "-c", question], capture_output=True, text=True, check=True
    )
    return answer.stdout


@pytest.mark.parametrize("module", ["runward", "runward.actors", "runward.bin.main"])
def test_what_every_child_may_have_to_import_loads_nothing_heavy(module: str) -> None:
    assert loaded_of(HEAVY, module) == "[]\n"


def test_a_zygote_loads_no_library_that_its_forks_do_without() -> None:
    assert loaded_of(LIBRARIES, "runward.actors.zygote") == "[]\n"
