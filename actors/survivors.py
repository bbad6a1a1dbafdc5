"""Who outlived a kill: found by the run's cgroup and by descent, told with what each waits for in the kernel.

A process in state D dies of no signal before what it waits for comes: a network file system, a device, a freezer.
Reads /proc only; nothing here can help it.
"""

import os
from collections.abc import Iterable

from . import procfs

_DEAD = frozenset({"Z", "X"})


def left_of(warden_pid: int | None, others: Iterable[int]) -> list[int]:
    """Pids of the live ones among a warden, all below it, and these others."""
    found = set(others)
    if warden_pid is not None:
        found |= {warden_pid, *(pid for pid, _ in procfs.below(warden_pid))}
    return sorted(pid for pid in found if _state(pid) not in (None, *_DEAD))


def described(pid: int) -> str:
    """For people: its name, its state, and the kernel's function that it waits in (proc_pid_wchan(5))."""
    name, state, waits_in = _read(pid, "comm"), _state(pid), _read(pid, "wchan")
    if state is None:
        return f"{pid} (gone by now)"
    where = f", waiting in {waits_in}" if waits_in not in ("", "0") else ""
    return f"{pid} ({name or '?'}, state {state}{where})"


def _state(pid: int) -> str | None:
    """One letter (proc_pid_stat(5), field 3); None for a process that is not there."""
    return _read(pid, "stat").rpartition(")")[2].strip()[:1] or None


def _read(pid: int, name: str) -> str:
    try:
        descriptor = os.open(f"/proc/{pid}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(descriptor, 4096).decode(errors="replace").strip()
    except OSError:  # it ended meanwhile
        return ""
    finally:
        os.close(descriptor)
