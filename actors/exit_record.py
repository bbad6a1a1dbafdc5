"""The end of one attempt as its warden sees it: who died of what, who was left, and the record that says so."""

import os
import resource
import signal
from collections.abc import Callable
from typing import Literal

from .containment.reaping import end_all, reap_dead
from .containment.rungs import GROUP
from .messages.base import StopMode
from .messages.from_run import Claim, ExitRecord
from .proxy_link import ProxyLink
from .records import LimitReason

MOST_REFUSALS = 3  # of the network's that a record tells
_WHOSE = {None: None, "limit": LimitReason.MEMORY_LIMIT, "machine": LimitReason.OUT_OF_MEMORY}


class Ending:
    """Gathers the facts of the end. Only what the kernel said goes in, and the agent's claim as a claim."""

    def __init__(
        self,
        proof: str,
        kill_round: Callable[[], None],
        agent_pid: int,
        out_of_memory: Callable[[], Literal["limit", "machine"] | None] = lambda: None,
    ) -> None:
        """`out_of_memory`: whether the kernel killed in the run's cgroup for want of memory, and whose."""
        self._proof = proof
        self._out_of_memory = out_of_memory
        self._kill_round = kill_round
        self._agent_pid = agent_pid
        self._began_at: float | None = None
        self._status: int | None = None
        self._survivors: list[int] = []
        self.rung: StopMode | None = None
        self.claim: Claim | None = None
        self.kind: str | None = None
        self.limit: LimitReason | None = None
        self.over = False  # the agent process is gone and what it left was killed
        self.told = False  # the record was sent
        self.orphaned = False

    def began(self, now: float) -> None:
        """The first rung of a stop, or the kill of what is left: from here `took_ms` counts. Monotonic seconds."""
        if self._began_at is None:
            self._began_at = now

    def reap_agent(self, rung: StopMode | None) -> None:
        """The agent's pidfd says that it ended, at this rung: fetch how."""
        self.rung = self.rung or rung
        self.reap_dead()

    def explain(self) -> None:
        """The agent ended: if a limit that the kernel holds did it, that is the reason."""
        if self._status is None or self.rung is not None or self.limit is not None:
            return
        if os.WIFSIGNALED(self._status):
            match os.WTERMSIG(self._status):
                case signal.SIGXCPU:  # the fence round `cpu_s`; nobody else sends it
                    self.limit = LimitReason.CPU_LIMIT
                case signal.SIGKILL:
                    self.limit = _WHOSE[self._out_of_memory()]

    def reap_dead(self) -> None:
        """Children died: the agent, or orphans of the run that came to us."""
        reap_dead(self._reaped)

    def kill_all(self, rung: StopMode | None) -> None:
        """Kill everything of the run and reap it. Blocks until nothing is left, at most some seconds."""
        self.rung = self.rung or rung
        if self._proof == GROUP.proof:  # what left the agent behind is nobody's child here
            self._kill_round()
        self._survivors = end_all(self._kill_round, self._reaped)
        self.over = True

    def _reaped(self, pid: int, status: int) -> None:
        if pid == self._agent_pid:
            self._status = status

    def record(
        self,
        last_n: int,
        stopped: bool,
        stderr_tail: str,
        now: float,
        wall_clock: float,
        proxy: ProxyLink | None = None,
    ) -> ExitRecord:
        """The last word. `now` is monotonic, `wall_clock` Unix seconds."""
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        code = None if self._status is None else os.waitstatus_to_exitcode(self._status)
        return ExitRecord(
            last_n=last_n,
            code=code if code is not None and code >= 0 else None,
            signal=-code if code is not None and code < 0 else None,
            rung=self.rung,
            stopped=stopped,
            limit=self.limit,
            claim=self.claim,
            took_ms=None if self._began_at is None or self.rung is None else (now - self._began_at) * 1000,
            proof=self._proof,
            survivors=self._survivors,
            max_rss_bytes=used.ru_maxrss * 1024,
            cpu_s=used.ru_utime + used.ru_stime,
            stderr_tail=stderr_tail,
            ended_at=wall_clock,
            kind=self.kind,
            network=None if proxy is None else proxy.use(),
            refusals=[] if proxy is None else proxy.refusals[:MOST_REFUSALS],
        )
