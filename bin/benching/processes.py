"""What a server's processes use, seen from outside: CPU time by role, memory, and who bears a name.

CPU of a live process is its own clock (clock_getcpuclockid(3)), to the nanosecond; that of processes which
have ended is what their parent has waited for (proc_pid_stat(5)), in ticks of 10 ms.
"""

import os
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
ENDED = "ended wardens and agents"
CORE = ("root", "supervisor", "facade", "zygote")


class Process(NamedTuple):
    """One process of a server. `role` is the first word of its title, `ended_s` CPU of its dead children."""

    pid: int
    role: str
    cpu_s: float
    ended_s: float


def processes(root: int) -> list[Process]:
    """A server's root and everything below it, now."""
    parents = dict(_stats())
    below: dict[int, list[int]] = {}
    for pid, stat in parents.items():
        below.setdefault(int(stat[1]), []).append(pid)
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        waiting += below.get(pid, [])
        if pid in parents:
            ended_s = (int(parents[pid][13]) + int(parents[pid][14])) / TICKS_PER_S
            found.append(Process(pid, _role(pid), _cpu_s(pid), ended_s))
    return found


def cpu_by_role(root: int) -> dict[str, float]:
    """Seconds of CPU that each role has used so far. What ended is its own entry, whoever waited for it."""
    used: dict[str, float] = defaultdict(float)
    for process in processes(root):
        used[process.role] += process.cpu_s
        if process.role not in ("root", "supervisor"):  # they wait for our own processes, not for runs
            used[ENDED] += process.ended_s
    return used


def own_memory(pid: int) -> int:
    """Bytes that only this process has (USS); 0 if it is gone. Raises PermissionError for another user's."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    lines = (line.split() for line in text.splitlines())
    return sum(int(words[1]) * 1024 for words in lines if words[0] in ("Private_Clean:", "Private_Dirty:"))


def named(name: str) -> list[int]:
    """Pids of all live processes of the machine whose comm is `name`, in whatever namespace; no zombies."""
    return [pid for pid, stat in _stats() if stat[-1] == name and stat[0] not in "ZX"]


def _stats() -> Iterator[tuple[int, list[str]]]:
    """Pid and stat fields from the state on, and at the very end the comm."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", "rb", buffering=0) as file:
                    text = file.read().decode(errors="replace")
            except OSError:
                continue
            before, _, after = text.rpartition(")")
            yield int(entry), [*after.split(), before.partition("(")[2]]


def _role(pid: int) -> str:
    try:
        title = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return "gone"
    _, colon, role = title.rstrip("\0").partition("runward: ")
    return role.split()[0] if colon and role else "other"


def _cpu_s(pid: int) -> float:
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0
