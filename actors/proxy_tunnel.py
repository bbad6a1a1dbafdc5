"""Bytes passed on between two sockets, both ways at once, neither of which can make the other wait for ever."""

import contextlib
import select
import socket
from collections.abc import Callable

from .actor import Actor, Timer
from .proxy_answer import Answer

AT_ONCE = 65_536  # also the most that is kept of each way


class _Way:
    """One way. `left`: how many bytes may still be passed on, None for any number."""

    def __init__(self, start: bytes, left: int | None, passed: Callable[[int], None]) -> None:
        self.kept = memoryview(start)
        self.left = left
        self.passed = passed
        self.answer: Answer | None = None  # where a head is to be changed on the way
        self.ended = self.closed = False  # nothing more comes; that was told to the other end

    @property
    def wants(self) -> bool:
        """Whether something is to be read."""
        return not self.kept and not self.ended and self.left != 0


class Tunnel:
    """Two connected sockets that do not block, which are its own from now on. `over` is called once, at the end."""

    def __init__(
        self,
        actor: Actor,
        client: socket.socket,
        server: socket.socket,
        idle_timeout_s: float,
        passed: tuple[Callable[[int], None], Callable[[int], None]],
        over: Callable[[], None],
    ) -> None:
        """`passed` counts what is for the server, and what comes from it."""
        self._actor = actor
        self._client = client
        self._server = server
        self._idle_timeout_s = idle_timeout_s
        self._passed = passed
        self._over = over
        self._watched: dict[socket.socket, int] = {}
        self._active_at = actor.clock()
        self._idle: Timer | None = None

    def begin(self, to_client: bytes, to_server: bytes, body_left: int | None) -> None:
        """Pass these on, and then what comes. `body_left`: how much more the client may send, None for anything;
        where it is told, the server's end is the end of all."""
        self._one_answer = body_left is not None
        self._up = _Way(to_server, body_left, self._passed[0])
        self._down = _Way(to_client, None, self._passed[1])
        if self._one_answer:
            self._down.answer = Answer()
        self._passed[0](len(to_server))
        self._look_idle()
        self._step()

    def close(self) -> None:
        """Break it off."""
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
            for end in (self._client, self._server):
                self._watch(end, 0)
                end.close()
            self._over()

    def _step(self) -> None:
        try:
            self._pass(self._client, self._server, self._up)
            self._pass(self._server, self._client, self._down)
        except OSError:  # one of them is gone
            self.close()
            return
        if self._down.closed and (self._one_answer or self._up.closed):
            self.close()
            return
        self._watch(self._client, _events(self._up.wants, bool(self._down.kept)))
        self._watch(self._server, _events(self._down.wants, bool(self._up.kept)))

    def _pass(self, source: socket.socket, target: socket.socket, way: _Way) -> None:
        """Read a piece if nothing is kept, send what is kept, and close behind the last."""
        if way.wants:
            with contextlib.suppress(BlockingIOError):
                piece = source.recv(AT_ONCE if way.left is None else min(way.left, AT_ONCE))
                way.ended = not piece
                way.kept = memoryview(piece if way.answer is None else way.answer.passed(piece))
                way.passed(len(piece))
                if way.left is not None:
                    way.left -= len(piece)
        if way.kept:
            with contextlib.suppress(BlockingIOError):
                sent = target.send(way.kept)
                way.kept = way.kept[sent:]
                self._active_at = self._actor.clock()
        if way.ended and not way.kept and not way.closed:
            way.closed = True
            target.shutdown(socket.SHUT_WR)

    def _watch(self, end: socket.socket, events: int) -> None:
        if self._watched.get(end, 0) != events:
            self._actor.unwatch(end.fileno())
            self._watched[end] = events
            if events:
                self._actor.watch(end.fileno(), self._step, events)

    def _look_idle(self) -> None:
        left_s = self._active_at + self._idle_timeout_s - self._actor.clock()
        if left_s <= 0:
            self.close()
        else:
            self._idle = self._actor.after(left_s, self._look_idle)


def _events(reads: bool, writes: bool) -> int:
    return (select.EPOLLIN if reads else 0) | (select.EPOLLOUT if writes else 0)
