"""What a test must not leave behind: processes, threads and descriptors of pytest, sockets, folders.

While a block of `nothing_left` is open, pytest is a subreaper: whatever loses its parent below it comes here, is
seen, and is waited for.
"""

import ctypes
import os
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


@contextmanager
def nothing_left() -> Iterator[None]:
    """Fail, naming what, if something is there after the block that was not there before it.

    Zygotes that a server started meanwhile are its own affair, as long as the server is there.
    """
    with _subreaper():
        before = set(_stock())
        yield
        until(lambda: not _news(before), AT_LAST_S, lambda: f"the end of {_news(before)}")


@pytest.fixture(autouse=True)
def _nothing_left_by_a_test() -> Iterator[None]:
    """Import it into a folder's conftest."""
    with nothing_left():
        yield


def _news(before: set[str]) -> list[str]:
    """What was not there before. Dead orphans that came to us are waited for and don't count."""
    for process in census.below(os.getpid()):
        if process.state == "Z" and process.parent == os.getpid() and _key(process) not in before:
            os.waitpid(process.pid, os.WNOHANG)
    return sorted(told for key, told in _stock().items() if key not in before)


def _stock() -> dict[str, str]:
    """All that could be left: what it is known by → what to call it."""
    processes = {_key(each): str(each) for each in census.below(os.getpid()) if each.role != "zygote"}
    threads = {f"thread {each.ident}": f"thread {each.name!r}" for each in threading.enumerate()}
    descriptors = [f"descriptor {number} -> {target}" for number, target in census.targets().items()]
    folders = [f"folder {path}" for path in _runtime_folders()]
    return processes | threads | {told: told for told in [*descriptors, *folders]}


def _key(process: census.Process) -> str:
    return f"process {process.pid}"


def _runtime_folders() -> Iterator[Path]:
    """Those of servers of these tests: another server of this machine has its own elsewhere."""
    return Path(tempfile.gettempdir()).glob("rw*/runward-*")


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
