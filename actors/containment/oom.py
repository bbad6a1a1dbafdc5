"""Who dies when the machine runs out of memory, and whether it did (proc_pid_oom_score_adj(5), proc_vmstat(5))."""

import contextlib
import os

from . import linux

_OURS, _AGENTS = b"-500", b"1000"
_FILE = "/proc/self/oom_score_adj"


def protect_ourselves() -> None:
    """Be killed later than others, and so will all that we start, but for agents. What only root may ask for."""
    with contextlib.suppress(OSError):
        if int(linux.read_small(_FILE)) > int(_OURS):
            linux.write_small(_FILE, _OURS)


def be_killed_first() -> None:
    """An agent's process: if somebody must go, it is this one. Anybody may say so of himself. Raises OSError."""
    try:
        linux.write_small(_FILE, _AGENTS)
    except PermissionError:  # the files of one that is not dumpable are root's (proc(5))
        linux.set_dumpable(True)
        linux.write_small(_FILE, _AGENTS)
        linux.set_dumpable(False)


class OomKills:
    """Whether the kernel killed anybody lately, where no cgroup tells whom. `look` from time to time."""

    def __init__(self) -> None:
        self._before = self._last = _count()

    def look(self) -> None:
        """Lately is what came after the look before this one."""
        self._before, self._last = self._last, _count()

    def lately(self) -> bool:
        """Whether somebody was. Blocks some 30 µs."""
        return _count() > self._before


def _count() -> int:
    """How often the kernel killed for want of memory since it started; 0 where it does not tell."""
    try:
        descriptor = os.open("/proc/vmstat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        text = os.read(descriptor, 65_536)
    finally:
        os.close(descriptor)
    _, found, rest = text.partition(b"\noom_kill ")
    return int(rest.split(b"\n", 1)[0]) if found else 0
