"""Who lives, counted from outside: every process of a server is in one cgroup, whatever it did to its parents.

A cgroup is the one place that nothing forked below it leaves: no session, no double fork and no dead parent takes a
process out, and its list is the kernel's own, where a scan of /proc misses what forks meanwhile. Another hierarchy,
that of pids, is the fence: no more tasks than it allows, whatever goes wrong.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from ..support import census
from ..support.waiting import AT_LAST_S, until


class Count:
    """All that was started while `entered`, and what that started."""

    def __init__(self, counting: Path, fence: Path) -> None:
        self._counting = counting
        self._fence = fence

    @contextmanager
    def entered(self) -> Iterator[None]:
        """This process, so that what it starts is counted. It leaves with the block."""
        _move(os.getpid(), self._counting, self._fence)
        try:
            yield
        finally:
            _move(os.getpid(), self._counting.parent, self._fence.parent)

    def bind(self, more: int) -> None:
        """From now on there may be so many tasks more than there are."""
        there = int((self._fence / "pids.current").read_text())
        (self._fence / "pids.max").write_text(str(there + more))

    def alive(self) -> set[int]:
        """Every process in it, in cgroups below it too; the dead that nobody waited for are not."""
        pids: set[int] = set()
        for folder, _, _ in list(os.walk(self._counting)):
            pids |= set(map(int, _read(Path(folder) / "cgroup.procs").split()))
        return pids

    def delegate(self, uid: int) -> None:
        """Let this user arrange cgroups below, as a service manager does (cgroups(7))."""
        for name in ("", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"):
            os.chown(self._counting / name, uid, uid)

    def kill(self) -> None:
        """End all of it."""
        (self._counting / "cgroup.kill").write_text("1")
        until(lambda: not self.alive(), AT_LAST_S, lambda: f"the end of {described(self.alive())}")


def described(pids: set[int]) -> list[str]:
    """For people."""
    return [str(each) for each in census.processes() if each.pid in pids]


@contextmanager
def count() -> Iterator[Count]:
    """A count of what is started in it; all is ended with the block. Skips where root can't have such cgroups."""
    with ExitStack() as stack:
        counting, fence = (stack.enter_context(_folder(place)) for place in (_second(), _controlling("pids")))
        counted = Count(counting, fence)
        stack.callback(counted.kill)
        yield counted


def _second() -> Path:
    for kind, options, folder in _mounted():
        if kind == "cgroup2" and (Path(folder) / "cgroup.procs").exists() and options:
            return Path(folder)
    return pytest.skip("no cgroups of version 2 are mounted here")


def _controlling(controller: str) -> Path:
    for kind, options, folder in _mounted():
        if kind == "cgroup" and controller in options.split(","):
            return Path(folder)
        if kind == "cgroup2" and controller in _read(Path(folder) / "cgroup.subtree_control").split():
            return Path(folder)
    return pytest.skip(f"no cgroups here can limit {controller}")


def _mounted() -> Iterator[tuple[str, str, str]]:
    """Kind, options of the file system, and where, of each mount (proc_pid_mountinfo(5))."""
    for line in _read(Path("/proc/self/mountinfo")).splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        yield kind, options, before.split(" ")[4]


@contextmanager
def _folder(place: Path) -> Iterator[Path]:
    folder = place / f"hostile-{os.getpid()}"
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        pytest.skip(f"processes can't be counted here: {error}")
    try:
        yield folder
    finally:
        until(lambda: _removed(folder), AT_LAST_S, f"the end of {folder}")


def _removed(folder: Path) -> bool:
    """Whether it is gone, with all below it."""
    try:
        for below, _, _ in list(os.walk(folder, topdown=False)):
            os.rmdir(below)
    except OSError:
        return False
    return True


def _move(pid: int, *folders: Path) -> None:
    for folder in dict.fromkeys(folders):
        (folder / "cgroup.procs").write_text(str(pid))


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
