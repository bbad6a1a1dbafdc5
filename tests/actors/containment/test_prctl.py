"""What a process asks of the kernel for itself: to end with its parent, to take orphans in, to hide its memory."""

import os
import platform
import select
import signal
from pathlib import Path

import pytest

from runward.actors.containment import linux

from ..forks import in_a_fork
from .nobody import become_nobody, needs_root

pytestmark = pytest.mark.usefixtures("nothing_left")


def test_a_process_ends_with_its_parent() -> None:
    reads, writes = os.pipe()

    def parent() -> None:
        pid = os.getpid()
        if os.fork() == 0:
            linux.die_with_parent(pid)
            os.write(writes, b"x")
            signal.alarm(10)
            signal.pause()
        os.read(reads, 1)

    in_a_fork(parent)
    os.close(writes)
    assert select.select([reads], [], [], 5)[0], "the child still holds the pipe"
    os.close(reads)


def test_a_process_whose_parent_is_gone_already_ends_at_once() -> None:
    pid = os.fork()
    if pid == 0:
        linux.die_with_parent(1_000_000)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1


def test_orphans_come_to_the_nearest_subreaper() -> None:
    def work() -> bool:
        linux.become_subreaper()
        reads, writes = os.pipe()
        if os.fork() == 0:
            if os.fork() == 0:
                signal.alarm(10)
                os.write(writes, str(os.getpid()).encode())
                signal.pause()
            os._exit(0)
        orphan = int(os.read(reads, 20))
        os.wait()
        parent = int(Path(f"/proc/{orphan}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(orphan, signal.SIGKILL)
        return os.waitpid(orphan, 0)[0] == orphan and parent == os.getpid()

    assert in_a_fork(work)


def test_privileges_that_were_given_up_are_not_gained_again() -> None:
    def work() -> str:
        linux.set_no_new_privileges()
        return Path("/proc/self/status").read_text()

    assert "NoNewPrivs:\t1" in in_a_fork(work)


@needs_root
def test_a_process_that_is_not_dumpable_shows_its_memory_to_no_one_of_its_uid() -> None:
    def work() -> list[bool]:
        become_nobody()
        readable = []
        for dumpable in (True, False):
            linux.set_dumpable(dumpable)
            try:
                os.close(os.open("/proc/self/environ", os.O_RDONLY))
                readable.append(True)
            except PermissionError:
                readable.append(False)
        return readable

    assert in_a_fork(work) == [True, False]


def test_a_small_file_of_proc_is_read_whole_and_leaves_no_descriptor() -> None:
    before = os.listdir("/proc/self/fd")
    assert linux.read_small("/proc/self/stat").startswith(str(os.getpid()).encode())
    assert os.listdir("/proc/self/fd") == before
    with pytest.raises(FileNotFoundError):
        linux.read_small("/proc/nobody/stat")


@pytest.mark.parametrize(
    ("system", "machine", "words"),
    [
        ("Linux", "x86_64", None),
        ("Linux", "aarch64", None),
        ("Linux", "riscv64", "riscv64"),
        ("Darwin", "arm64", "needs Linux"),
        ("Windows", "AMD64", "needs Linux"),
    ],
)
def test_other_platforms_are_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, system: str, machine: str, words: str | None
) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    why = linux.supported()
    assert why is None if words is None else words in (why or "")
