"""The leaves of a server: made when they are wanted, used again, known again by the next server of the same state.

The supervisor's and root's. A leaf that is not empty is never given to another run: it is killed, and looked at
again when the next one is wanted.
"""

import contextlib
import hashlib
import os
import signal
from collections.abc import Iterable, Sequence

from . import cgroups
from .findings import Place

_KEPT = 32  # empty ones; making one takes 0.2 ms
_REMOVED_WITHIN_S = 0.5  # a cgroup is busy until its dead are buried


def tag_of(state_dir: str) -> str:
    """What the names of a server's leaves begin with: another server, with another state, has another."""
    return f"{cgroups.PREFIX}{hashlib.sha256(os.fsencode(state_dir)).hexdigest()[:10]}-"


class Leaves:
    """All leaves of one server. Nothing here blocks but the file system of cgroups: 20 µs a file."""

    def __init__(self, places: Sequence[Place], state_dir: str) -> None:
        self._places = places
        self._tag = tag_of(state_dir)
        self._free: list[str] = []
        self._held: set[str] = set()
        self._memory_bytes: dict[str, int] = {}  # of those that are limited
        self._made = 0

    def take_over(self, held: Iterable[str]) -> None:
        """What an earlier supervisor made: those that live runs are in are held; in the others nobody may live."""
        self._held |= set(held)
        for name in self._found() - self._held:
            self.kill(name)
            self._free.append(name)
            self._memory_bytes[name] = -1  # who knows

    def take(self, memory_bytes: int = 0, pids: int = 0) -> str:
        """The name of a leaf for one run, empty, with these limits (0: none). "" where there are none. OSError."""
        if not self._places:
            return ""
        name = self._empty() or self._new()
        try:
            for place in self._places:
                cgroups.limit(place, name, pids)
            self._limit_memory(name, memory_bytes)
        except OSError:
            self._free.append(name)
            raise
        self._held.add(name)
        return name

    def _limit_memory(self, name: str, memory_bytes: int) -> None:
        """Only what is not as it was: most runs have no limit."""
        if memory_bytes != self._memory_bytes.get(name, 0):
            for place in self._places:
                cgroups.limit_memory(place, name, memory_bytes)
            self._memory_bytes[name] = memory_bytes

    def give_back(self, name: str) -> None:
        """Its run has ended. Unknown names are none of ours, and "" is nobody's."""
        if name not in self._held:
            return
        self._held.discard(name)
        if len(self._free) < _KEPT or not self.is_empty(name):
            self._free.append(name)
        else:
            self._remove(name)

    def kill(self, name: str) -> None:
        """SIGKILL to all in it, if it is there. On version 1 one by one: what forks meanwhile may get away."""
        for place in self._places:
            with contextlib.suppress(OSError):
                if place.version == 2:
                    cgroups.kill(place, name)
                else:
                    _kill_each(cgroups.processes(place, name))

    def processes(self, name: str) -> list[int]:
        """Who is in it, as the pids of our /proc; nobody if it is not there."""
        found: set[int] = set()
        for place in self._places:
            with contextlib.suppress(OSError):
                found |= set(cgroups.processes(place, name))
        return sorted(found)

    def is_empty(self, name: str) -> bool:
        """Whether nobody is in it."""
        return not self.processes(name)

    def remove_all(self) -> None:
        """At the end of the server: of ours, and of earlier ones of this state. What is busy for long stays."""
        for name in self._found():
            self._remove(name, _REMOVED_WITHIN_S)
        self._free.clear()

    def _found(self) -> set[str]:
        return {name for place in self._places for name in cgroups.leaves(place, self._tag)}

    def _empty(self) -> str | None:
        for name in list(self._free):
            if not self._is_there(name):
                self._free.remove(name)
                self._remove(name)  # what is there of it
            elif self.is_empty(name) and self._made_anew(name):
                self._free.remove(name)
                return name
            else:
                self.kill(name)
        return None

    def _is_there(self, name: str) -> bool:
        """In every place: somebody may have tidied up."""
        return all(os.path.isdir(f"{place.folder}/{name}") for place in self._places)

    def _is_anywhere(self, name: str) -> bool:
        return any(os.path.exists(f"{place.folder}/{name}") for place in self._places)

    def _made_anew(self, name: str) -> bool:
        """In version 2: Linux 6.18 kills at birth whoever is born in a cgroup that was killed before."""
        try:
            for place in self._places:
                if place.version == 2:
                    cgroups.remove(place, name)
                    cgroups.make(place, name)
                    if "memory" in place.controllers:
                        self._memory_bytes.pop(name, None)
        except OSError:
            return False
        return True

    def _new(self) -> str:
        while True:
            name = f"{self._tag}{self._made}"
            self._made += 1
            # One that is held need not be there: its run's end was carried out, and lost with its supervisor.
            if name not in self._held and not self._is_anywhere(name):
                break
        for place in self._places:
            cgroups.make(place, name)
        return name

    def _remove(self, name: str, within_s: float = 0.0) -> None:
        for place in self._places:
            with contextlib.suppress(OSError):
                cgroups.remove(place, name, within_s)


def _kill_each(pids: Iterable[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
