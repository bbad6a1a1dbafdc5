"""The warden's end of the link to its agent: a pipe that the agent speaks up, a socket that it is told things by.

Never waits: not for an agent that says nothing, nor for one that does not listen. A pipe, since a socket counts for
each small line a thousand bytes: it is full after 280 events, and a flood comes in small bites.
"""

import os
import select
from _socket import socket as Socket

import msgspec

from .actor import Actor, Callback, Timer
from .command_lines import StartCommand
from .messages.with_agent import Approval, ChildRefused, EventRefused, ToAgent

READ_AT_ONCE = 131_072
PIPE_BYTES = 262_144  # what may wait in it; F_SETPIPE_SZ of fcntl(2)
APART_S = (
    0.002  # reads of a flood: as one batch, what came costs all who pass it on half (5.0 µs an event, not 11)
)
BURST_S = 0.016  # so many reads may be saved up: who says little is heard at once
UNREAD_REFUSALS_BYTES = 65_536  # an agent that does not listen is told no more refusals than this


class AgentLink:
    """Reads chunks while it is listened to; sends what the agent takes, and keeps the rest until it does."""

    def __init__(self, actor: Actor, link: Socket, up_fd: int, heard: Callback, max_batch_bytes: int) -> None:
        # Stamped and written out again, a chunk grows; to four times its size is more than events do.
        self._read_at_once = min(READ_AT_ONCE, max(1, max_batch_bytes // 4))
        self._actor = actor
        self._link = link
        self._up_fd = up_fd
        self._heard = heard
        self._writable = os.dup(link.fileno())  # watched apart from reading, which goes by credit
        self._unsent = b""
        self._listening = False
        self._wanted = False
        self._next_at = 0.0
        self._pause: Timer | None = None
        self.closed = False  # the agent closed its end, or is gone

    def listen(self, wanted: bool) -> None:
        """Whether `heard` is called when there is something; unread, the pipe is the agent's back-pressure."""
        self._wanted = wanted and not self.closed
        self._settle()

    def _settle(self) -> None:
        listening = self._wanted and self._pause is None
        if listening != self._listening:
            self._listening = listening
            if listening:
                self._actor.watch(self._up_fd, self._ready)
            else:
                self._actor.unwatch(self._up_fd)

    def _ready(self) -> None:
        now = self._actor.clock()
        if now < self._next_at:
            self._pause = self._actor.after(self._next_at - now, self._paused)
            self._settle()
            return
        self._next_at = max(self._next_at, now - BURST_S) + APART_S
        self._heard()

    def _paused(self) -> None:
        self._pause = None
        self._settle()

    def read(self) -> bytes:
        """A chunk; nothing if there is none now, or never will be (`closed`)."""
        try:
            chunk = os.read(self._up_fd, self._read_at_once)
        except (BlockingIOError, InterruptedError):
            return b""
        except OSError:
            chunk = b""
        if not chunk:
            self.closed = True
            self.listen(False)
        return chunk

    def tell(self, message: ToAgent | StartCommand) -> None:
        """Send it, now or when the agent has read what came before."""
        refuses = isinstance(message, EventRefused | ChildRefused) or (
            isinstance(message, Approval) and message.error is not None
        )
        if refuses and len(self._unsent) > UNREAD_REFUSALS_BYTES:
            return
        waiting = bool(self._unsent)
        self._unsent += msgspec.json.encode(message) + b"\n"
        if not waiting:
            self._push()
            if self._unsent:
                self._actor.watch(self._writable, self._push, select.EPOLLOUT)

    @property
    def owed(self) -> int:
        """Bytes that it was told and has not read, beside what the kernel holds."""
        return len(self._unsent)

    def close(self) -> None:
        """Give the descriptors back; the loop must not be used any more."""
        self._link.close()
        os.close(self._up_fd)
        os.close(self._writable)

    def _push(self) -> None:
        try:
            self._unsent = self._unsent[self._link.send(self._unsent) :]
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._unsent = b""  # it is gone, or does not want to hear
        if not self._unsent:
            self._actor.unwatch(self._writable)
