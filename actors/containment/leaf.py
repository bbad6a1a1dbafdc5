"""A run's leaf as its warden and its agent know it: the cgroups that hold the agent and all that it starts.

The warden stays outside, so that it outlives the kill of the leaf and keeps its own share of the CPU. The agent is
born in the leaf of version 2, and steps into those of version 1 as its first act: a process with one thread that
moves itself, by the file `tasks`, waits for nobody (40 µs), where moving another costs a grace period (11-15 ms).
Little is touched here, since all of it is copied by each run.
"""

import os
from collections.abc import Callable, Sequence
from typing import Literal

from . import cgroups, linux
from .findings import Place

_CHARGED_AHEAD_BYTES = 1 << 20  # the kernel charges in lots for each processor


class Leaf:
    """One leaf. Made by the zygote, which closes it once it has forked the warden; of no other use there."""

    def __init__(self, places: Sequence[Place], name: str) -> None:
        """`places`: all that runs are held by here. Raises OSError if the leaf is not there."""
        self.name = name
        self._places = places
        self.fd: int | None = None  # for `clone_process`, and to kill by
        if self._places and self._places[0].version == 2:
            self.fd = os.open(f"{self._places[0].folder}/{name}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._memory = next((place for place in self._places if "memory" in place.controllers), None)
        self._before = self._events()

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What the warden keeps open of it."""
        return () if self.fd is None else (self.fd,)

    def close(self) -> None:
        """Give the descriptor back."""
        if self.fd is not None:
            os.close(self.fd)

    def enter(self) -> None:
        """Step into the leaves of version 1. Called by the agent while it has one thread. Raises OSError."""
        for place in self._places:
            if place.version == 1:
                cgroups.put(place, self.name, "tasks", b"0")

    def kill(self) -> None:
        """Give it the CPU to die by, let it make no more processes, kill all in it at once (version 2)."""
        for place in self._places:
            if "cpu" in place.controllers:
                self._attempt(place, *cgroups.HIGH[place.version])
            if "pids" in place.controllers:
                self._attempt(place, "pids.max", b"0")
            if place.version == 2:
                self._attempt(place, "cgroup.kill", b"1")

    def before(self, kill_round: Callable[[], None]) -> Callable[[], None]:
        """A round of killing that begins with the leaf."""

        def both() -> None:
            self.kill()
            kill_round()

        return both if self._places else kill_round

    def memory_broken(self) -> int | None:
        """On version 1, a descriptor that is readable once the leaf's memory limit is broken (memory.txt there).

        There the kernel kills one process, whichever is the largest. On version 2 it kills all: None.
        """
        if self._memory is None or self._memory.version == 2:
            return None
        broken = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        folder = f"{self._memory.folder}/{self.name}"
        control = os.open(f"{folder}/memory.oom_control", os.O_RDONLY | os.O_CLOEXEC)
        try:
            linux.write_small(f"{folder}/cgroup.event_control", b"%d %d" % (broken, control))
        finally:
            os.close(control)
        return broken

    def out_of_memory(self) -> Literal["limit", "machine"] | None:
        """Whether the kernel killed in it for want of memory: its own limit's, or the whole machine's."""
        now = self._events()
        if self._memory is None or now[0] <= self._before[0]:
            return None
        if self._memory.version == 2:
            return "limit" if now[1] > self._before[1] else "machine"
        limit, most = (
            _number(self._read("memory.limit_in_bytes")),
            _number(self._read("memory.max_usage_in_bytes")),
        )
        return "limit" if most + _CHARGED_AHEAD_BYTES >= limit else "machine"

    def _events(self) -> tuple[int, int]:
        """How often ever somebody in it was killed for want of memory, and how often it came to its limit."""
        if self._memory is None:
            return 0, 0
        text = self._read("memory.events" if self._memory.version == 2 else "memory.oom_control")
        return _number(text, b"oom_kill "), _number(text, b"oom ")

    def _read(self, file: str) -> bytes:
        assert self._memory is not None
        try:
            return cgroups.get(self._memory, self.name, file)
        except OSError:
            return b""

    def _attempt(self, place: Place, file: str, text: bytes) -> None:
        """What can't be written is no reason not to try the rest."""
        try:
            cgroups.put(place, self.name, file, text)
        except OSError:
            return


def _number(text: bytes, key: bytes = b"") -> int:
    """The number behind this key, at the beginning of a line; 0 if there is none."""
    for line in text.splitlines():
        if line.startswith(key):
            return int(line[len(key) :])
    return 0
