"""What an agent writes to stdout and stderr: read at a bounded pace, kept in its log, the end of stderr at hand.

An agent may write faster than any disk; reading all of it would cost nearly a CPU (measured). So what is read in a
period is bounded. Beyond it the pipes are left full until the period is over, and the agent waits.
"""

import os
from collections.abc import Callable, Sequence
from functools import partial

from ..config.sections import EventsSettings
from .actor import Actor
from .logs import Log

READ_AT_ONCE = 65_536
PERIOD_S = 0.05
PERIOD_BYTES = 838_860  # 16 MiB a second for both streams together: costs about 1 % of a CPU
LEFT_READS = 64  # of a pipe whose writers are dead: more than the kernel lets it hold


class Tail:
    """The last `limit_bytes` of a stream, as text. Never grows, whatever is written."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._kept = b""

    def add(self, text: bytes) -> None:
        """Take what was written."""
        self._kept = (self._kept + text)[-self._limit_bytes :] if self._limit_bytes else b""

    def text(self) -> str:
        """What is kept, never longer; bytes that are not UTF-8 show as such."""
        shown = self._kept.decode(errors="backslashreplace").encode()
        return shown[-self._limit_bytes :].decode(errors="ignore") if shown else ""


class Stdio:
    """Both streams of one agent. `log_fds`: of the files of its log, or none; `counted` is told each size."""

    def __init__(
        self,
        actor: Actor,
        pipes: Sequence[int],
        log_fds: Sequence[int],
        settings: EventsSettings,
        counted: Callable[[int], None],
    ) -> None:
        self._actor = actor
        self._counted = counted
        self._log_fds = log_fds
        self._max_log_bytes = settings.max_log_bytes
        self._logs: dict[int, Log] = {}  # by pipe; made when there is something to keep
        self._pipes = list(pipes)
        self._open = set(pipes)
        self.errors = Tail(settings.stderr_tail_bytes)  # the end of stderr
        self._period_ends = 0.0
        self._read_bytes = 0
        self._listen()

    def note(self, text: bytes) -> None:
        """Add a word of ours to stderr."""
        self._keep(self._pipes[1], text)

    def finish(self) -> None:
        """Nobody writes any more: take what is left. Blocks a ms at most."""
        for pipe in self._pipes:
            for _ in range(LEFT_READS):
                if pipe in self._open:
                    self._hear(pipe)
            self._open.discard(pipe)
            self._actor.unwatch(pipe)

    def _listen(self) -> None:
        for pipe in self._open:
            self._actor.watch(pipe, partial(self._hear, pipe))

    def _hear(self, pipe: int) -> None:
        try:
            text = os.read(pipe, READ_AT_ONCE)
        except (BlockingIOError, InterruptedError):
            return
        if text:
            self._keep(pipe, text)
            self._counted(len(text))
            self._spend(len(text))
        else:
            self._open.discard(pipe)
            self._actor.unwatch(pipe)

    def _keep(self, pipe: int, text: bytes) -> None:
        which = self._pipes.index(pipe)
        if which == 1:
            self.errors.add(text)
        if self._log_fds:
            if pipe not in self._logs:
                self._logs[pipe] = Log(self._log_fds[which], self._max_log_bytes)
            self._logs[pipe].add(text)

    def _spend(self, size: int) -> None:
        """When the period's share is used, leave the pipes alone until it is over."""
        now = self._actor.clock()
        if now >= self._period_ends:
            self._period_ends, self._read_bytes = now + PERIOD_S, 0
        self._read_bytes += size
        if self._read_bytes >= PERIOD_BYTES:
            for pipe in self._open:
                self._actor.unwatch(pipe)
            self._actor.after(self._period_ends - now, self._listen)
