import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runward.actors.errors import StateFolderTaken, StateFolderUnusable
from runward.actors.journal.lock import StateLock

HOLDER = """
import sys
from pathlib import Path
from runward.actors.journal.lock import StateLock
StateLock(Path(sys.argv[1])).acquire()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def lock(folder: Path) -> Iterator[StateLock]:
    lock = StateLock(folder)
    yield lock
    lock.release()


@pytest.fixture
def holder(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the lock."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_the_first_lock_makes_a_private_folder(folder: Path, lock: StateLock) -> None:
    lock.acquire()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "lock").stat().st_mode & 0o777 == 0o600
    assert (folder / "lock").read_text() == f"{os.getpid()}\n"


def test_a_second_server_is_refused_with_the_pid_of_the_first(
    folder: Path, lock: StateLock, holder: subprocess.Popen[bytes]
) -> None:
    before = (folder / "lock").read_bytes()
    with pytest.raises(StateFolderTaken, match=rf"\(pid {holder.pid}\)"):
        lock.acquire()
    assert (folder / "lock").read_bytes() == before


def test_a_refused_lock_may_be_tried_again_and_leaves_the_holder_its_own(
    folder: Path, lock: StateLock, holder: subprocess.Popen[bytes]
) -> None:
    for _ in range(3):
        with pytest.raises(StateFolderTaken):
            lock.acquire()
    lock.release()
    with pytest.raises(StateFolderTaken):
        lock.acquire()


def test_a_killed_holder_leaves_the_folder_free(lock: StateLock, holder: subprocess.Popen[bytes]) -> None:
    holder.kill()
    holder.wait()
    lock.acquire()


def test_a_released_folder_can_be_taken_again(folder: Path, lock: StateLock) -> None:
    lock.acquire()
    lock.release()
    other = StateLock(folder)
    other.acquire()
    other.release()


def test_a_child_that_was_started_meanwhile_does_not_hold_the_lock(folder: Path, lock: StateLock) -> None:
    lock.acquire()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False):
        lock.release()
        other = StateLock(folder)
        other.acquire()
        other.release()


def test_a_lock_that_is_a_link_to_somewhere_else_is_refused(
    folder: Path, lock: StateLock, tmp_path: Path
) -> None:
    folder.mkdir()
    precious = tmp_path / "precious"
    precious.write_text("kept")
    (folder / "lock").symlink_to(precious)
    with pytest.raises(StateFolderUnusable, match="can't be locked"):
        lock.acquire()
    assert precious.read_text() == "kept"
