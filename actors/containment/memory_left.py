"""How much memory is left for new programs: on the machine, and under the bounds of the cgroups that we are in.

A container or a service may have much less than its machine. Reading only, of /proc and of cgroup files (cgroups(7)).
"""

import os
from collections.abc import Callable, Iterable
from typing import NamedTuple

from .. import procfs
from .hierarchies import Hierarchy


class _Files(NamedTuple):
    """What tells a bound, what is used of it, and the line of memory.stat for what the kernel would let go of."""

    bound: str
    used: str
    spare: bytes


_FILES = {
    1: _Files("memory.limit_in_bytes", "memory.usage_in_bytes", b"total_inactive_file"),
    2: _Files("memory.max", "memory.current", b"inactive_file"),
}
_NO_BOUND = 2**62  # version 1 says a number where there is none: the largest multiple of a page


class MemoryLeft:
    """Call it for the bytes; None where nobody tells. Which cgroups have a bound is looked up once."""

    def __init__(
        self,
        hierarchies: Iterable[Hierarchy],
        machine: Callable[[], int | None] = procfs.available_bytes,
    ) -> None:
        self._machine = machine
        self._bounded = [
            (folder, _FILES[each.version])
            for each in hierarchies
            for folder in _upwards(each.own)
            if _bound(folder, _FILES[each.version]) is not None
        ]

    def __call__(self) -> int | None:
        """Blocks for some ten microseconds."""
        told = [self._machine(), *(_left(folder, files) for folder, files in self._bounded)]
        return min((each for each in told if each is not None), default=None)


def _upwards(own: str) -> list[str]:
    """A cgroup and those above it, as far as they can be seen; the folder above all of them does no harm."""
    found = [own]
    while (above := os.path.dirname(found[-1])) != found[-1]:
        found.append(above)
    return found


def _left(folder: str, files: _Files) -> int | None:
    bound, used = _bound(folder, files), _number(f"{folder}/{files.used}")
    if bound is None or used is None:
        return None
    return max(0, bound - used + _spare(folder, files.spare))


def _bound(folder: str, files: _Files) -> int | None:
    bound = _number(f"{folder}/{files.bound}")
    return None if bound is None or bound >= _NO_BOUND else bound


def _spare(folder: str, line: bytes) -> int:
    for each in _read(f"{folder}/memory.stat").splitlines():
        name, _, number = each.partition(b" ")
        if name == line:
            return int(number)
    return 0


def _number(path: str) -> int | None:
    text = _read(path).strip()
    return int(text) if text.isdigit() else None


def _read(path: str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read()
    except OSError:
        return b""
