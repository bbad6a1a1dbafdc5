"""`state.synchronous`: with "full" whatever anybody is told is on the disk before, with "normal" it is not.

A real server, of which every process notes its writes and flushes of the journal's WAL and what the supervisor says.
What a disk does with a flush can't be seen from here.
"""

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from ..support import overlay
from ..support.server import running

SOURCE = Path(overlay.__file__).parent / "programs" / "flushes.c"
RUNS = 3
EVENTS = 4  # queued, started, a delta, completed


class Told(NamedTuple):
    """Something that the supervisor said. `dirty`: bytes of the WAL were not flushed by then.

    `flushes`: of the WAL since the newest events were journalled.
    """

    words: list[str]
    dirty: bool
    flushes: int


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """A Python whose processes note what the module says."""
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("no gcc here (Debian: gcc libc6-dev)")
    folder = tmp_path / "venv"
    overlay.overlaid(folder, "flushes")
    (folder / "flushes.log").touch()
    watched, log = tmp_path / "house" / "state" / "journal.db-wal", folder / "flushes.log"
    paths = [f'-DWATCHED="{watched}"', f'-DLOG="{log}"']
    options = ["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", *paths]
    subprocess.run([compiler, *options, "-o", str(folder / "flushes.so"), str(SOURCE), "-ldl"], check=True)
    return folder


def _told(venv: Path, synchronous: str) -> list[Told]:
    """All that was said from the start of a server to its end, with some runs one after the other."""
    (python,) = (venv / "bin").iterdir()
    config = {"state": {"synchronous": synchronous}, "events": {"max_log_bytes": 0}}
    with running(venv.parent / "house", config, python=str(python)) as server:
        for number in range(RUNS):
            run = server.client.ended(server.client.start("echo", f"hello {number}"))
            assert run["status"] == "completed"
    return list(_read((venv / "flushes.log").read_text().splitlines()))


def _read(lines: list[str]) -> list[Told]:
    told: list[Told] = []
    dirty, flushes, appended = False, 0, [""]
    for line in lines:
        match line.split():
            case ["w"]:
                dirty = True
            case ["s"]:
                dirty, flushes = False, flushes + 1
            case ["appended", *events]:
                appended, flushes = events, 0
            case words:
                if words[0] == "published" and words[3] != "0":
                    assert words[2:] == appended, "runs one after the other: what is told was journalled last"
                told.append(Told(words, dirty, flushes))
    return told


def _published(told: list[Told]) -> dict[str, list[Told]]:
    """What was published of each run, without welcomes, which hold no event."""
    runs: dict[str, list[Told]] = {}
    for each in told:
        if each.words[0] == "published" and each.words[3] != "0":
            runs.setdefault(each.words[1], []).append(each)
    assert len(runs) == RUNS
    for said in runs.values():
        assert sum(int(each.words[3]) for each in said) == EVENTS
    return runs


def test_with_full_a_flush_comes_before_everything_that_is_told(venv: Path) -> None:
    told = _told(venv, "full")
    assert [each for each in told if each.dirty] == []
    for said in _published(told).values():
        assert {each.flushes for each in said} == {1}, "after they were journalled, before they were told"
    assert len([each for each in told if each.words == ["told"]]) > RUNS  # answers and acknowledgements, too


def test_with_normal_nothing_waits_for_a_flush(venv: Path) -> None:
    told = _told(venv, "normal")
    for said in _published(told).values():
        assert all(each.dirty and not each.flushes for each in said)
