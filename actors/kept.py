"""A process that root keeps alive, and root's end of the line to it."""

import contextlib
import os
import signal
import socket
from collections.abc import Callable

import msgspec

from . import restart, wire
from .actor import Actor
from .estate import Member
from .messages.with_root import MESSAGE_BYTES, ToRole
from .spawning import spawn

#: For our descriptor of the line in the child: the birth data, and the descriptors that are inherited.
Make = Callable[[int], tuple[msgspec.Struct, list[int]]]


class Kept:
    """One of them; `main` is started with what `make` gives. `pid` 0: it is not there."""

    def __init__(self, actor: Actor, name: str, main: str, make: Make, intensity: restart.Intensity) -> None:
        self._actor = actor
        self.name = name
        self.main = main
        self.make = make
        self.intensity = intensity
        self.pid = 0
        self.ready = False
        self._control: socket.socket | None = None

    @property
    def member(self) -> Member:
        """For the code that is to hold it after this one."""
        return Member(self.pid, -1 if self._control is None else self._control.fileno())

    def start(self, heard: Callable[[bytes], None]) -> None:
        """Start the process; what it says on its line goes to `heard`. Raises OSError."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        start, inherited = self.make(theirs.fileno())
        self.pid = spawn(self.main, start, inherited)
        theirs.close()
        self._listen(ours, heard)

    def hold(self, member: Member, heard: Callable[[bytes], None]) -> None:
        """Take a live one over, which the code before started."""
        self.pid, self.ready = member.pid, True
        self._listen(socket.socket(fileno=member.control_fd), heard)

    def tell(self, message: ToRole) -> None:
        """Say it, if it is there to hear it."""
        if self._control is not None:
            with contextlib.suppress(OSError):
                self._control.send(wire.encode(message))

    def kill(self) -> None:
        """SIGKILL. Its end is then told to who reaps it."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)

    def ended(self) -> None:
        """It was reaped."""
        self.pid, self.ready = 0, False
        if self._control is not None:
            self._actor.unwatch(self._control.fileno())
            self._control.close()
            self._control = None

    def _listen(self, control: socket.socket, heard: Callable[[bytes], None]) -> None:
        control.setblocking(False)
        self._control = control
        self._actor.watch(control.fileno(), lambda: self._hear(control, heard))

    def _hear(self, control: socket.socket, heard: Callable[[bytes], None]) -> None:
        try:
            body = control.recv(MESSAGE_BYTES)
        except OSError:
            body = b""
        if body:
            heard(body)
        else:
            self._actor.unwatch(control.fileno())  # its exit says the rest
