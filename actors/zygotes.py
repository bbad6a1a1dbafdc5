"""The supervisor's ends of its zygotes: one link per agent, started when needed, restarted with restart intensity.

A zygote that ends, or does nothing, before it is ready is made again without its preload, and the agents' list says
why. Forks that are asked for meanwhile wait here.
"""

import os
import select
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import msgspec

from . import restart, wire
from .actor import Actor, Timer
from .containment import walls
from .errors import BadMessage
from .messages.with_zygote import Fork, ForkFailed, FromZygote, PreloadFailed, ZygoteReady
from .roles import ZygoteStart
from .spawning import spawn
from .verdict import signal_name

MESSAGE_BYTES = 65_536
CLOSE_S = 2.0
MAIN = "runward.actors.zygote:begin"
UNREAD_PAUSE_S = 0.01  # a zygote that has not read what it was asked is asked again after this

#: Called with what a zygote says, and the descriptor that came with it, if any. The callee owns the descriptor.
Heard = Callable[[FromZygote, int | None], None]
#: Makes what `Fork` tells of, just before it is sent: runs that wait hold no descriptors. May raise OSError.
Descriptors = Callable[[], list[int]]


@dataclass(slots=True)
class _Process:
    pid: int
    pidfd: int
    control: socket.socket
    patience: Timer
    ready: bool = False
    trouble: str | None = None  # with its preload


class ZygoteLink:
    """One agent's zygote, alive or not. Owned by the supervisor; nothing here blocks but the spawn (some ms)."""

    def __init__(
        self,
        actor: Actor,
        start: ZygoteStart,
        intensity: restart.Intensity,
        heard: Heard,
        died: Callable[[], None],
    ) -> None:
        self._actor = actor
        self._start = start
        self._intensity: restart.Intensity | None = intensity
        self._heard = heard
        self._died = died
        self._process: _Process | None = None
        self._waiting: list[tuple[Fork, Descriptors]] = []  # forks to ask for
        self._given_up: list[str] = []  # what is not preloaded any more, and why
        self.warnings: list[str] = []
        self.starts = 0
        self.rung = start.kill_rung  # as far as is known before it was tried; so the next two
        self.walls = walls.of_agent(start.walls, start.spec)
        self.missing: tuple[str, ...] = ()

    @property
    def health(self) -> Literal["ready", "starting", "down", "idle"]:
        """ready, starting, idle (never needed yet), or down (it died too often)."""
        if self._intensity is None:
            return "down"
        if self._process is None:
            return "idle"
        return "ready" if self._process.ready else "starting"

    @property
    def pid(self) -> int | None:
        """Of the process that reaps the wardens it forked; None if there is none."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Spawn it, unless it is there. Raises OSError."""
        if self._process is not None:
            return
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        start = msgspec.structs.replace(self._start, control_fd=theirs.fileno())
        pid = spawn(MAIN, start, (theirs.fileno(), start.root_pidfd))
        theirs.close()
        self.starts += 1
        patience = self._actor.after(self._preload_timeout_s, self._preload_overdue)
        self._process = _Process(pid, os.pidfd_open(pid), ours, patience)
        self._actor.watch(ours.fileno(), self.hear)
        self._actor.watch(self._process.pidfd, self._gone)

    def fork(self, asked: Fork, descriptors: Descriptors) -> None:
        """Ask for a warden, once the zygote is ready. Raises OSError if that can't be started."""
        self._waiting.append((asked, descriptors))
        try:
            self.start()
        except OSError:
            self._waiting.clear()
            raise
        self._ask_waiting()

    def _ask_waiting(self) -> None:
        while self._waiting and self._process is not None and self._process.ready:
            asked, make = self._waiting[0]
            try:
                descriptors = make()
            except OSError as error:
                self._not_asked(asked, error)
            else:
                if not self._send(self._process.control, asked, descriptors):
                    return
            del self._waiting[0]

    def _send(self, control: socket.socket, asked: Fork, descriptors: list[int]) -> bool:
        """Whether it was taken; closes the descriptors."""
        try:
            socket.send_fds(control, [wire.encode(asked)], descriptors)
        except BlockingIOError:
            self._actor.after(UNREAD_PAUSE_S, self._ask_waiting)
            return False
        except OSError:
            return False  # it is gone, and its pidfd is about to say so
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        return True

    def _not_asked(self, asked: Fork, error: OSError) -> None:
        """Told in a later turn, like every answer."""
        failed = ForkFailed(asked.run_id, asked.attempt, f"what its warden needs can't be opened: {error}")
        self._actor.after(0, lambda: self._heard(failed, None))

    def kill(self) -> None:
        """End a zygote that does not answer. Its wardens live on and become root's children."""
        if self._process is not None:
            signal.pidfd_send_signal(self._process.pidfd, signal.SIGKILL)

    def close(self) -> None:
        """At the supervisor's end: let it exit, and reap it. One that is still importing may never read that."""
        self._waiting.clear()
        if self._process is not None:
            if not self._process.ready:
                self.kill()
            process = self._forget()
            process.control.close()
            _await_end(process.pidfd)
            os.waitpid(process.pid, 0)
            os.close(process.pidfd)

    def hear(self) -> None:
        """Everything that has arrived; the end of the stream is left to the pidfd."""
        while self._process is not None:
            try:
                body, descriptors, _, _ = socket.recv_fds(self._process.control, MESSAGE_BYTES, 1)
            except (BlockingIOError, ConnectionResetError):
                return
            if not body:
                self._actor.unwatch(self._process.control.fileno())
                return
            self._take(body, descriptors[0] if descriptors else None)

    def hear_within(self, seconds: float) -> None:
        """The same, once there is something, or nothing came in this time. Blocks."""
        if self._process is not None:
            poll = select.poll()
            poll.register(self._process.control, select.POLLIN)
            poll.poll(seconds * 1000)
            self.hear()

    def _take(self, body: bytes, descriptor: int | None) -> None:
        try:
            message = wire.from_zygote.decode(body)
        except BadMessage:
            self.kill()
            return
        assert self._process is not None
        if isinstance(message, ZygoteReady):
            self._process.ready = True
            self._process.patience.cancel()
            self.warnings = self._given_up + message.warnings
            self.rung = message.rung or self._start.kill_rung
            self.walls, self.missing = tuple(message.walls), tuple(message.missing)
            self._ask_waiting()
        elif isinstance(message, PreloadFailed):
            self._process.trouble = message.why
        self._heard(message, descriptor)

    def _gone(self) -> None:
        """It ended: hear its last messages, then make it again without its preload, or count the death."""
        self.hear()
        process = self._forget()
        process.control.close()
        _, status = os.waitpid(process.pid, 0)
        os.close(process.pidfd)
        if not process.ready and self._start.spec.preload:
            self._remake(process.trouble or _ended(status))
            return
        if self._intensity is not None:
            self._intensity = restart.restarted(self._intensity, time.monotonic())
        self._waiting.clear()
        self._died()

    # ── the preload ──────────────────────────────────────────────────────────────────────────────

    @property
    def _preload_timeout_s(self) -> float:
        """Half of what a start may take, so that a run which waits for it can still start without it."""
        return self._start.settings.runs.start_timeout_s / 2

    def _preload_overdue(self) -> None:
        if self._process is not None and not self._process.ready and self._start.spec.preload:
            self._process.trouble = (
                f"the import did not end within {self._preload_timeout_s:g} s (half of runs.start_timeout_s)"
            )
            self.kill()

    def _remake(self, why: str) -> None:
        """Whatever it was, it happened before any fork was asked for, so no run is the worse for it."""
        modules = ", ".join(self._start.spec.preload)
        self._given_up = [f"not preloaded: {modules}, since {why}; each run now imports for itself"]
        self.warnings = self._given_up
        spec = msgspec.structs.replace(self._start.spec, preload=())
        self._start = msgspec.structs.replace(self._start, spec=spec)
        try:
            self.start()
        except OSError:
            self._waiting.clear()
            self._died()

    def _forget(self) -> _Process:
        assert self._process is not None
        process, self._process = self._process, None
        process.patience.cancel()
        self._actor.unwatch(process.control.fileno())
        self._actor.unwatch(process.pidfd)
        return process


def _ended(status: int) -> str:
    """How an import ended the whole process."""
    code = os.waitstatus_to_exitcode(status)
    return (
        f"the import ended the process with code {code}"
        if code >= 0
        else f"the import died of {signal_name(-code)}"
    )


def _await_end(pidfd: int) -> None:
    """Until it exits, which one that is stopped never would by itself."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    if not poll.poll(CLOSE_S * 1000):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
