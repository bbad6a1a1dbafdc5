"""What there is of processes and descriptors, read from /proc (proc(5)). Looks only; ends and keeps nothing."""

import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

MEMBERS = (
    "supervisor",
    "facade",
    "zygote",
    "janitor",
)  # what a server without runs is made of, below its root
_KIND = re.compile(r"^(?:anon_inode:)?\[?([a-z]+)\]?(?::\[\d+\])?$")


class Process(NamedTuple):
    """One process, or the zombie of one. `title` is what ps shows; of a zombie only its name is left."""

    pid: int
    parent: int
    state: str
    title: str

    @property
    def role(self) -> str:
        """The first word behind `runward:`; empty for what is no process of ours."""
        name, _, words = self.title.partition(": ")
        return words.split(" ")[0] if name == "runward" else ""

    def __str__(self) -> str:
        return f"{self.pid} {self.title!r} (state {self.state}, child of {self.parent})"


def processes() -> list[Process]:
    """Every process of this machine; what ends meanwhile is left out."""
    return _described(_pids())


def below(*pids: int) -> list[Process]:
    """All descendants of these processes, dead ones that nobody has waited for included."""
    children: dict[int, list[int]] = {}
    for pid in _pids():
        stat = _stat(pid)
        if stat is not None:
            children.setdefault(stat.parent, []).append(pid)
    found: list[int] = []
    waiting = list(pids)
    while waiting:
        born = children.get(waiting.pop(), [])
        found += born
        waiting += born
    return _described(found)


def runs_below(root_pid: int) -> list[Process]:
    """What there is of runs below a server's root: all but the server's own processes, and every zombie."""
    family = below(root_pid)
    spawning = {root_pid} | {each.pid for each in family if each.role == "supervisor"}
    return [each for each in family if each.state == "Z" or not _is_member(each, spawning)]


def _is_member(process: Process, spawning: set[int]) -> bool:
    """A process of the server, or one that is about to say that it is."""
    newborn = process.parent in spawning and process.title.startswith(sys.executable)
    return process.role in MEMBERS or newborn


def descriptors(pid: int) -> Counter[str]:
    """How many of each kind a process holds: "socket", "pipe", "pidfd", …, or the path of a file.

    The journal's files are left out: SQLite opens them again when it first has another use for them.
    """
    return Counter(kind(target) for target in targets(pid).values() if "/journal.db" not in target)


def status(pid: int) -> dict[str, str]:
    """The lines of a process's status (proc_pid_status(5))."""
    lines = _read(f"/proc/{pid}/status").decode(errors="replace").splitlines()
    return {name: text.strip() for name, _, text in (line.partition(":") for line in lines)}


def private_bytes(pid: int) -> int:
    """Memory that would be free if it ended (USS); for who may not see that, its memory but for files."""
    rollup = _read(f"/proc/{pid}/smaps_rollup").decode().splitlines()
    own = [int(line.split()[1]) * 1024 for line in rollup if line.startswith("Private_")]
    if own:
        return sum(own)
    resident, shared = map(int, _read(f"/proc/{pid}/statm").split()[1:3])
    return (resident - shared) * os.sysconf("SC_PAGE_SIZE")


def ids(pid: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """User and group that a process runs as, and those that own its files in /proc."""
    lines = status(pid)
    owner = os.stat(f"/proc/{pid}/environ")
    return (int(lines["Uid"].split()[1]), int(lines["Gid"].split()[1])), (owner.st_uid, owner.st_gid)


def signals(pid: int, which: str) -> set[int]:
    """The signals in one of the sets of its status (SigBlk, SigIgn, SigCgt), but for the C library's own above 31."""
    mask = int(status(pid)[which], 16)
    return {number for number in range(1, 32) if mask >> (number - 1) & 1}


def targets(pid: int | str = "self") -> dict[int, str]:
    """Descriptor number → what it leads to. Empty for a process that is gone or is not ours to see."""
    return dict(_targets(Path(f"/proc/{pid}/fd")))


def _targets(folder: Path) -> Iterator[tuple[int, str]]:
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        try:
            yield int(name), os.readlink(folder / name)
        except OSError:
            continue  # closed meanwhile, as the one that lists the folder always is


def kind(target: str) -> str:
    """ "socket" of `socket:[123]`, "pidfd" of `anon_inode:[pidfd]`; a path is its own kind."""
    known = _KIND.match(target)
    return known[1] if known else target


class _Stat(NamedTuple):
    name: str
    state: str
    parent: int


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]


def _described(pids: Iterable[int]) -> list[Process]:
    found = []
    for pid in pids:
        stat = _stat(pid)
        if stat is not None:
            title = _read(f"/proc/{pid}/cmdline").replace(b"\0", b" ").decode(errors="replace").strip()
            found.append(Process(pid, stat.parent, stat.state, title or stat.name))
    return found


def _stat(pid: int) -> _Stat | None:
    """Name, state and parent (proc_pid_stat(5)); None if it is gone."""
    # The name, in parentheses, may hold anything, so count from its end: the first is then the state.
    head, _, tail = _read(f"/proc/{pid}/stat").decode(errors="replace").rpartition(")")
    fields = tail.split()
    return _Stat(head.partition("(")[2], fields[0], int(fields[1])) if fields else None


def _read(path: str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read()
    except OSError:
        return b""
