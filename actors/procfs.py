"""What processes use, read from /proc (proc(5)). Pure reading: it signals nothing and keeps nothing open.

A process that ends while it is looked at is left out; a pid that is another process by now is told by its
start time.
"""

import os
from collections.abc import Iterator
from typing import NamedTuple

MOST_PROCESSES = 1024  # looked at in one tree: a fork bomb must not make a reader slow

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Stat(NamedTuple):
    """Of one process. `cpu_s`: user and system time, its own and that of the children it has waited for; `own_cpu_s`
    without these.
    """

    start_ticks: int
    cpu_s: float
    rss_bytes: int
    own_cpu_s: float = 0.0


class Tree(NamedTuple):
    """Of a process and all its descendants, at most `MOST_PROCESSES` of them."""

    processes: int
    rss_bytes: int
    cpu_s: float


def stat(pid: int) -> Stat | None:
    """What one process uses; None if there is none of that pid."""
    text = _read(f"/proc/{pid}/stat")
    if not text:
        return None
    # The name, in parentheses, may hold anything, so count from its end: the first is then the 3rd field.
    fields = text.rpartition(b")")[2].split()
    own, of_children = int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])
    return Stat(
        int(fields[19]),
        (own + of_children) / _TICKS_PER_S,
        int(fields[21]) * _PAGE_BYTES,
        own / _TICKS_PER_S,
    )


def name(pid: int) -> str:
    """The first 15 bytes of its title; empty if there is none of that pid."""
    return _read(f"/proc/{pid}/comm").decode(errors="replace").strip()


def children(pid: int) -> list[int]:
    """The children that the threads of a process have now; empty where the kernel does not tell."""
    found: list[int] = []
    for thread in _threads(pid):
        found += map(int, _read(f"/proc/{pid}/task/{thread}/children").split())
    return found


def tree(pid: int, start_ticks: int) -> Tree | None:
    """What a process and its descendants use; None if that very process is gone. Blocks: 50 µs a process."""
    root = stat(pid)
    if root is None or root.start_ticks != start_ticks:
        return None
    stats = [root, *(each for _, each in below(pid))]
    return Tree(len(stats), sum(each.rss_bytes for each in stats), sum(each.cpu_s for each in stats))


def below(pid: int) -> list[tuple[int, Stat]]:
    """The descendants of a process, by pid, at most `MOST_PROCESSES` of them, and what each uses."""
    return list(_descendants(pid))


def pss_bytes(pid: int) -> int | None:
    """What a process uses of memory, where what it shares with others counts in parts; None if that is not told.

    Blocks: 0.5 ms for one of 100 MB.
    """
    for line in _read(f"/proc/{pid}/smaps_rollup").splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) * 1024
    return None


def available_bytes() -> int | None:
    """Of memory, for new programs without swapping: MemAvailable; None where that is not told."""
    for line in _read("/proc/meminfo").splitlines():
        if line.startswith(b"MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _descendants(pid: int) -> Iterator[tuple[int, Stat]]:
    seen = {pid}
    waiting = [pid]
    while waiting and len(seen) < MOST_PROCESSES:
        for child in children(waiting.pop()):
            used = stat(child)
            if used is not None and child not in seen and len(seen) < MOST_PROCESSES:
                seen.add(child)
                waiting.append(child)
                yield child, used


def _threads(pid: int) -> list[str]:
    try:
        return os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []


def _read(path: str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read()
    except OSError:
        return b""
