"""What /proc says of real processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from runward.actors import birth, procfs

# A child with a name that could be taken for fields, and a grandchild; it says when both are there.
PROGRAM = """
import os, time
os.write(os.open("/proc/self/comm", os.O_WRONLY), b"a) S 1 (b")
block = bytearray(30_000_000)
if os.fork() == 0:
    os.write(1, b"x")
time.sleep(60)
"""


@pytest.fixture
def family() -> Iterator[int]:
    """The pid of a process that has one child."""
    child = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, start_new_session=True)
    assert child.stdout is not None
    assert child.stdout.read(1) == b"x"
    yield child.pid
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()


def test_a_tree_counts_what_its_processes_use_together(family: int) -> None:
    root = procfs.stat(family)
    assert root is not None
    assert root.start_ticks == birth.start_ticks(family)
    assert root.rss_bytes > 30_000_000
    (child,) = procfs.children(family)
    grown = procfs.stat(child)
    assert grown is not None
    tree = procfs.tree(family, root.start_ticks)
    assert tree is not None
    assert tree.processes == 2
    assert tree.rss_bytes == pytest.approx(root.rss_bytes + grown.rss_bytes, rel=0.1)
    assert tree.cpu_s >= root.cpu_s > 0


def test_a_pid_that_is_another_process_by_now_has_no_tree(family: int) -> None:
    assert procfs.tree(family, birth.start_ticks(family) - 1) is None


def test_a_process_that_is_gone_has_nothing() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert procfs.stat(gone.pid) is None
    assert procfs.children(gone.pid) == []
    assert procfs.tree(gone.pid, 1) is None


def test_a_crowd_is_counted_only_so_far(family: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(procfs, "MOST_PROCESSES", 1)
    tree = procfs.tree(family, birth.start_ticks(family))
    assert tree is not None
    assert tree.processes == 1
