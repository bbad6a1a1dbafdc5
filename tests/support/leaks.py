"""What a test must not leave behind: processes, threads and descriptors of pytest, sockets, folders.

While a block of `nothing_left` is open, pytest is a subreaper: whatever loses its parent below it comes here, is
seen, and is waited for.
"""

import ctypes
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from . import census
from .waiting import AT_LAST_S, until

_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)
_open_blocks = 0
_OWN_FOLDERS = f"rw{os.getpid()}-"


@contextmanager
def nothing_left(members_may_change: bool = False) -> Iterator[None]:
    """Fail, naming what, if something is there after the block that was not there before it.

    `members_may_change`: a server from outside the block may have started zygotes, and its dead anew.
    """
    with _subreaper():
        before = set(_stock())
        yield
        until(
            lambda: not _news(before, members_may_change),
            AT_LAST_S,
            lambda: f"the end of {_news(before, members_may_change)}",
        )


@pytest.fixture(autouse=True)
def _nothing_left_by_a_test() -> Iterator[None]:
    """Import it into a folder's conftest."""
    with nothing_left(members_may_change=True):
        yield


def _news(before: set[str], members_may_change: bool) -> list[str]:
    """What was not there before. Dead orphans that came to us are waited for and don't count."""
    family = census.below(os.getpid())
    for process in family:
        if process.state == "Z" and process.parent == os.getpid() and _key(process) not in before:
            os.waitpid(process.pid, os.WNOHANG)
    expected = {_key(each) for each in family if members_may_change and each.role in census.MEMBERS}
    return sorted(told for key, told in _stock().items() if key not in before | expected)


def _stock() -> dict[str, str]:
    """All that could be left: what it is known by → what to call it."""
    processes = {_key(each): str(each) for each in census.below(os.getpid())}
    threads = {f"thread {each.ident}": f"thread {each.name!r}" for each in threading.enumerate()}
    held = census.targets().items()
    # The first three are pytest's to capture, and other ones when a module's fixtures end with the session.
    descriptors = [f"descriptor {number} -> {target}" for number, target in held if number > 2]
    folders = [f"folder {path}" for path in Path(tempfile.gettempdir()).glob(f"{_OWN_FOLDERS}*")]
    return processes | threads | {told: told for told in [*descriptors, *folders]}


def _key(process: census.Process) -> str:
    return f"process {process.pid}"


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder of these tests, and of no others that run meanwhile. Short: a path of a socket ends at 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix=_OWN_FOLDERS))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _subreaper() -> Iterator[None]:
    global _open_blocks  # the blocks nest, and a process is a subreaper or is not
    _open_blocks += 1
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        _open_blocks -= 1
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, int(_open_blocks > 0), 0, 0, 0)
