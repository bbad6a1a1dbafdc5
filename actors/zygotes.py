"""The supervisor's ends of its zygotes: one link per agent, started when needed, restarted with restart intensity."""

import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import msgspec

from . import restart, wire
from .actor import Actor
from .errors import BadMessage
from .messages import Fork, FromZygote, ZygoteReady
from .roles import ZygoteStart
from .spawning import spawn_light

MESSAGE_BYTES = 65_536
MAIN = "runward.actors.zygote:begin"

#: Called with what a zygote says, and the descriptor that came with it, if any. The callee owns the descriptor.
Heard = Callable[[FromZygote, int | None], None]


@dataclass(slots=True)
class _Process:
    pid: int
    pidfd: int
    control: socket.socket
    ready: bool = False


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
        self.warnings: list[str] = []

    @property
    def health(self) -> Literal["ready", "starting", "down", "idle"]:
        """ready, starting, idle (never needed yet), or down (it died too often)."""
        if self._intensity is None:
            return "down"
        if self._process is None:
            return "idle"
        return "ready" if self._process.ready else "starting"

    @property
    def alive(self) -> bool:
        """Whether there is a process to reap this agent's wardens."""
        return self._process is not None

    def start(self) -> None:
        """Spawn it, unless it is there. Raises OSError."""
        if self._process is not None:
            return
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        start = msgspec.structs.replace(self._start, control_fd=theirs.fileno())
        pid = spawn_light(MAIN, start, (theirs.fileno(),))
        theirs.close()
        self._process = _Process(pid, os.pidfd_open(pid), ours)
        self._actor.watch(ours.fileno(), self._hear)
        self._actor.watch(self._process.pidfd, self._gone)

    def fork(self, asked: Fork, keys_fd: int) -> None:
        """Ask for a warden; takes `keys_fd` over. Raises OSError if the zygote can't be started or does not read."""
        try:
            self.start()
            assert self._process is not None
            socket.send_fds(self._process.control, [wire.encode(asked)], [keys_fd])
        finally:
            os.close(keys_fd)

    def kill(self) -> None:
        """End a zygote that does not answer. Its wardens live on and become root's children."""
        if self._process is not None:
            signal.pidfd_send_signal(self._process.pidfd, signal.SIGKILL)

    def close(self) -> None:
        """At the supervisor's end: let it exit, and reap it."""
        if self._process is not None:
            process = self._forget()
            process.control.close()
            os.waitpid(process.pid, 0)
            os.close(process.pidfd)

    def _hear(self) -> None:
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

    def _take(self, body: bytes, descriptor: int | None) -> None:
        try:
            message = wire.from_zygote.decode(body)
        except BadMessage:
            self.kill()
            return
        if isinstance(message, ZygoteReady) and self._process is not None:
            self._process.ready = True
            self.warnings = message.warnings
        self._heard(message, descriptor)

    def _gone(self) -> None:
        """It ended, which only happens by crash or kill: hear its last messages, then count it."""
        self._hear()
        process = self._forget()
        process.control.close()
        os.waitpid(process.pid, 0)
        os.close(process.pidfd)
        if self._intensity is not None:
            self._intensity = restart.restarted(self._intensity, time.monotonic())
        self._died()

    def _forget(self) -> _Process:
        assert self._process is not None
        process, self._process = self._process, None
        self._actor.unwatch(process.control.fileno())
        self._actor.unwatch(process.pidfd)
        return process
