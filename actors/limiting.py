"""A warden's hold on its run's limits: counts and timers, and a look at the CPU time as often as it can matter.

CPU time is that of the live processes below the warden and of all that were waited for. A process whose parent
ignores SIGCHLD is waited for by nobody and drops out of it (wait(2)): this holds a runaway, not a cheat.
"""

import os
import time
from collections.abc import Callable, Mapping
from functools import partial

from . import birth, limits, procfs
from .actor import Actor
from .containment.reaping import host_pid

_SPENT = ("output_bytes", "output_events", "stdout_bytes")  # till nothing is left


class Limiter:
    """Calls `hit` with the name of the first limit that is broken, once. Belongs to the warden's loop."""

    def __init__(self, actor: Actor, given: Mapping[str, float], hit: Callable[[str], None]) -> None:
        """Hold these limits from now on."""
        self._actor = actor
        self._hit = hit
        self._over = self._held_up = False
        self._began = self._active_at = actor.clock()
        self._left = {name: given[name] for name in _SPENT if name in given}
        for name, limit in given.items():
            self._hold(name, limit)

    def active(self) -> None:
        """The agent is not idle."""
        self._active_at = self._actor.clock()

    def emitted(self, count: int, size: int) -> None:
        """So many events came, of so many bytes in all."""
        self.active()
        self._spend("output_events", count)
        self._spend("output_bytes", size)

    def held_up(self, is_held_up: bool) -> None:
        """Whether the agent is not listened to for now, which is not its idleness."""
        if is_held_up != self._held_up:
            self._held_up = is_held_up
            self.active()

    def wrote(self, size: int) -> None:
        """So many bytes of stdout or stderr came."""
        self._spend("stdout_bytes", size)
        self._spend("output_bytes", size)

    def end(self) -> None:
        """Nothing is to be held any more."""
        self._over = True

    def _spend(self, name: str, amount: int) -> None:
        left = self._left.get(name)
        if left is not None:
            self._left[name] = left - amount
            if amount > left:
                self._break(name)

    def _hold(self, name: str, limit: float) -> None:
        clock = self._actor.clock
        match name:
            case "wall_s":
                self._look(name, lambda: self._began + limit - clock(), _at_its_end)
            case "idle_s":
                self._look(
                    name, lambda: limit if self._held_up else self._active_at + limit - clock(), _at_its_end
                )
            case "cpu_s":
                own, cpus = host_pid(), len(os.sched_getaffinity(0))
                ticks = birth.start_ticks(own)
                next_s = partial(limits.next_look_s, cpus=cpus)
                self._look(name, lambda: limit - cpu_used_s(own, ticks), next_s)
            case "memory_bytes":
                own, cpus = host_pid(), len(os.sched_getaffinity(0))
                next_s = partial(limits.next_memory_look_s, cpus=cpus)
                self._look(name, lambda: limit - memory_used_bytes(own, limit), next_s)

    def _look(self, name: str, left: Callable[[], float], next_s: Callable[[float], float]) -> None:
        """See how much is left, now and again when it could be used up."""
        left_s = left()
        if left_s <= 0:
            self._break(name)
        elif not self._over:
            self._actor.after(next_s(left_s), lambda: self._look(name, left, next_s))

    def _break(self, name: str) -> None:
        if not self._over:
            self._over = True
            self._hit(name)


def cpu_used_s(warden_pid: int, start_ticks: int) -> float:
    """CPU time below the caller, which is that warden (pid as /proc counts). Blocks: 50 µs a process."""
    tree = procfs.tree(warden_pid, start_ticks)
    return 0.0 if tree is None else tree.cpu_s - time.process_time()


def memory_used_bytes(warden_pid: int, enough: float) -> int:
    """Memory of the processes below the caller, which is that warden; what several share counts once if it matters,
    which is above `enough`. Blocks: 50 µs a process, above that some 0.5 ms.
    """
    used = procfs.below(warden_pid)
    rss_bytes = sum(each.rss_bytes for _, each in used)
    if rss_bytes <= enough:
        return rss_bytes
    return sum(procfs.pss_bytes(pid) or each.rss_bytes for pid, each in used)


def _at_its_end(left_s: float) -> float:
    return left_s
