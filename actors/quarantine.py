"""Agents of which something outlived a kill: no new run for them until it is gone, or the server is started again.

Whatever keeps a process from dying would keep the next one, and each holds memory, a slot of the machine, and what
else it took.
"""

import os
from collections.abc import Callable, Iterable

from . import survivors
from .actor import Actor


class Quarantine:
    """Agent → pidfds of those that are left. Calls `changed` with a line for the operator when one begins or ends."""

    def __init__(self, actor: Actor, changed: Callable[[str], None]) -> None:
        self._actor = actor
        self._changed = changed
        self._left: dict[str, dict[int, int]] = {}  # agent → pid → pidfd

    @property
    def agents(self) -> frozenset[str]:
        """Those that are in it."""
        return frozenset(self._left)

    def why(self, agent: str) -> str | None:
        """Why the agent is in it, for people; None if it is not."""
        left = self._left.get(agent)
        if left is None:
            return None
        named = ", ".join(survivors.described(pid) for pid in left)
        return f"the agent {agent!r} is in quarantine: of an earlier run these processes did not die: {named}"

    def begin(self, agent: str, pids: Iterable[int]) -> None:
        """These outlived a kill. Who died meanwhile keeps nobody in quarantine."""
        held = self._left.setdefault(agent, {})
        for pid in pids:
            if pid not in held:
                self._hold(agent, pid)
        if held:
            self._changed(f"{self.why(agent)}. It gets no new run until they are gone")
        else:
            del self._left[agent]

    def close(self) -> None:
        """Give everything back."""
        for held in self._left.values():
            for pidfd in held.values():
                self._actor.unwatch(pidfd)
                os.close(pidfd)
        self._left.clear()

    def _hold(self, agent: str, pid: int) -> None:
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:  # gone
            return
        self._left[agent][pid] = pidfd
        self._actor.watch(pidfd, lambda: self._gone(agent, pid))

    def _gone(self, agent: str, pid: int) -> None:
        pidfd = self._left[agent].pop(pid)
        self._actor.unwatch(pidfd)
        os.close(pidfd)
        if not self._left[agent]:
            del self._left[agent]
            self._changed(f"the agent {agent!r} is out of quarantine: all that outlived a kill is gone")
