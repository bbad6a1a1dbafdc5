"""One run's leaf: a cgroup of the same name in each hierarchy that holds runs (cgroups(7)). Files, and nothing else.

A leaf lies beside our own processes, so that its weight counts against theirs. Every function raises OSError. None
blocks for long: making a leaf takes 50 µs a hierarchy, and nobody is moved into one (see `leaf.py`).
"""

import contextlib
import errno
import os
import time
from collections.abc import Iterable, Iterator

from . import linux
from .findings import Place

OWN = "runward-own"  # where our processes go, where a cgroup with children may hold none itself
PREFIX = "runward-"
_LOW = {2: ("cpu.weight", b"5"), 1: ("cpu.shares", b"50")}  # against 100 and 1024 of any other
#: Before a kill: what starves dies slowly (measured: up to half a second).
HIGH = {2: ("cpu.weight", b"200"), 1: ("cpu.shares", b"2048")}


def make(place: Place, name: str) -> None:
    """Make the leaf in this place. FileExistsError if it is there already."""
    os.mkdir(f"{place.folder}/{name}")
    if "cpu" in place.controllers:
        put(place, name, *_LOW[place.version])
    if "memory" in place.controllers and place.version == 2:
        put(place, name, "memory.oom.group", b"1")  # a run dies as one


def limit(place: Place, name: str, pids: int) -> None:
    """How many may be in the leaf, 0 for any, and its weight as at first."""
    if "pids" in place.controllers:
        put(place, name, "pids.max", b"%d" % pids if pids else b"max")
    if "cpu" in place.controllers:
        put(place, name, *_LOW[place.version])


def limit_memory(place: Place, name: str, memory_bytes: int) -> None:
    """How much memory they may have, swap included; 0 for any."""
    if "memory" not in place.controllers:
        return
    if place.version == 2:
        put(place, name, "memory.max", b"%d" % memory_bytes if memory_bytes else b"max")
        with contextlib.suppress(OSError):  # no swap accounting
            put(place, name, "memory.swap.max", b"0" if memory_bytes else b"max")
        return
    text = b"%d" % (memory_bytes or -1)
    files = ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")  # the second is never below the first
    with contextlib.suppress(OSError):
        put(place, name, files[1], b"-1")
    put(place, name, files[0], text)
    with contextlib.suppress(OSError):  # no swap accounting
        put(place, name, files[1], text)
    put(place, name, "memory.max_usage_in_bytes", b"0")  # begins anew


def kill(place: Place, name: str) -> None:
    """SIGKILL to all in the leaf, those that are being forked included. Version 2 (Linux 5.14)."""
    put(place, name, "cgroup.kill", b"1")


def processes(place: Place, name: str) -> list[int]:
    """Who is in the leaf; on version 1 the dead that nobody has waited for, too."""
    text = get(place, name, "cgroup.procs")
    return [int(pid) for pid in text.split()]


def is_empty(places: Iterable[Place], name: str) -> bool:
    """Whether nobody is left in it anywhere."""
    return not any(processes(place, name) for place in places)


def remove(place: Place, name: str, within_s: float = 0.0) -> None:
    """Remove the leaf, which must be empty; waits that long for what is dying. Gone already is fine."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            os.rmdir(f"{place.folder}/{name}")
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.002)
        else:
            return


def leaves(place: Place, prefix: str) -> Iterator[str]:
    """The names of the leaves there that begin like this."""
    with contextlib.suppress(FileNotFoundError):
        yield from sorted(name for name in os.listdir(place.folder) if name.startswith(prefix))


def put(place: Place, name: str, file: str, text: bytes) -> None:
    """Write one of the leaf's files."""
    linux.write_small(f"{place.folder}/{name}/{file}", text)


def get(place: Place, name: str, file: str) -> bytes:
    """Read one of the leaf's files."""
    descriptor = os.open(f"{place.folder}/{name}/{file}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 65_536)
    finally:
        os.close(descriptor)
