"""Mailboxes: bounded, authenticated ZeroMQ sockets over `ipc://`. The only module that knows ZeroMQ.

Every socket is CURVE; an `Inbox` lets in only the public keys on its allow-list and tells each message's sender by
that key, as the ZAP handler returned it (RFC 27), never by routing id. All calls are non-blocking and belong to the
thread that made the `Post`. A context does not survive fork: a process makes its own after it was forked.

A ZeroMQ descriptor only says "look again" (it is edge-triggered, and sending can eat the edge), so owners call
`drain` until it gives nothing whenever `news` says that there may be some. Who binds also drains the guard, or nobody
new gets in.
"""

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

import zmq
from zmq import backend
from zmq.utils import z85

from .errors import Unreachable
from .news import News

RECONNECT_MS = 10  # a re-bound supervisor is found again in this time (measured: 18 ms; the default took 400)
HANDSHAKE_MS = 5_000
QUEUED_MESSAGES = 4_096  # per peer and direction
FEED_MESSAGES = 1_024  # what a stalled reader of the feed may pile up; the journal has it all
DRAIN_AT_ONCE = 256

# Plain numbers: each use of the enum touches its pages.
_NOBLOCK, _SNDMORE, _POLLIN = int(zmq.NOBLOCK), int(zmq.SNDMORE), int(zmq.POLLIN)
_FD, _EVENTS, _LINGER = int(zmq.FD), int(zmq.EVENTS), int(zmq.LINGER)
_SNDHWM, _RCVHWM, _MAXMSGSIZE = int(zmq.SNDHWM), int(zmq.RCVHWM), int(zmq.MAXMSGSIZE)
_RECONNECT_IVL, _HANDSHAKE_IVL = int(zmq.RECONNECT_IVL), int(zmq.HANDSHAKE_IVL)
_CURVE_PUBLICKEY, _CURVE_SECRETKEY = int(zmq.CURVE_PUBLICKEY), int(zmq.CURVE_SECRETKEY)
_CURVE_SERVERKEY = int(zmq.CURVE_SERVERKEY)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A CURVE key pair, Z85. `secret` must reach only the process that it is for, by descriptor."""

    public: bytes
    secret: bytes

    @classmethod
    def generate(cls) -> "KeyPair":
        """A new pair."""
        return cls(*zmq.curve_keypair())


class Line(Enum):
    """What became of a connection to an inbox, as a watched `Outbox` sees it."""

    UP = "the inbox lets us in: what is sent now, or was not sent yet, arrives"
    CUT = "it was up and broke off: of what was sent nobody knows what arrived; it is made again"
    REFUSED = "our key is not on the list: this socket never tries again"


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sent a message: `name` as the allow-list has it (to be believed), `route` to answer by (not to be)."""

    name: str
    route: bytes


class Post:
    """A process's ZeroMQ context, and the allow-list of the mailboxes that it binds."""

    def __init__(self, max_message_bytes: int) -> None:
        # The backend's, as are the sockets: what `zmq.Context` adds costs a warden 100 copied pages, 0.4 ms.
        self._context = backend.Context(io_threads=1)
        self._sockets: list[backend.Socket] = []
        self._max_message_bytes = max_message_bytes
        self._pid = os.getpid()
        self._guard: Guard | None = None

    @property
    def guard(self) -> "Guard":
        """The allow-list; only a process that binds mailboxes has one."""
        if self._guard is None:
            self._guard = Guard(self._socket(zmq.REP))
        return self._guard

    def inbox(self, path: str, keys: KeyPair) -> "Inbox":
        """Bind a ROUTER at `path`. Raises `Unreachable` if it can't be bound."""
        return Inbox(self._bound(zmq.ROUTER, path, keys), path)

    def feed(self, path: str, keys: KeyPair) -> "Feed":
        """Bind an XPUB at `path`. Raises `Unreachable` if it can't be bound."""
        return Feed(self._bound(zmq.XPUB, path, keys), path)

    def outbox(self, path: str, keys: KeyPair, server_key: bytes) -> "Outbox":
        """Connect a DEALER to the inbox at `path`; returns at once, whether or not anyone is there."""
        return Outbox(self._connected(zmq.DEALER, path, keys, server_key))

    def watched_outbox(self, path: str, keys: KeyPair, server_key: bytes) -> "WatchedOutbox":
        """As `outbox`, and it tells what becomes of the line."""
        socket = self._secured(zmq.DEALER, keys)
        socket.set(_CURVE_SERVERKEY, server_key)
        monitor = self._socket(zmq.PAIR)
        where = f"inproc://line {int(socket.get(_FD))}"
        socket.monitor(where, sum(_LINE_EVENTS))  # before it connects, or the first of it is missed
        monitor.connect(where)
        socket.connect(f"ipc://{path}")
        return WatchedOutbox(socket, monitor)

    def subscription(self, path: str, keys: KeyPair, server_key: bytes) -> "Subscription":
        """Connect a SUB to the feed at `path`; returns at once."""
        return Subscription(self._connected(zmq.SUB, path, keys, server_key))

    def close(self) -> None:
        """Close the context, dropping what is unsent. Blocks until the io thread ended."""
        for socket in self._sockets:
            socket.close(0)
        self._context.term()

    def _socket(self, kind: int) -> backend.Socket:
        if os.getpid() != self._pid:
            raise RuntimeError("this Post belongs to the process before the fork: its io thread is not here")
        socket = backend.Socket(self._context, kind)
        self._sockets.append(socket)
        return socket

    def _secured(self, kind: int, keys: KeyPair) -> backend.Socket:
        socket = self._socket(kind)
        queued = FEED_MESSAGES if kind in (zmq.XPUB, zmq.SUB) else QUEUED_MESSAGES
        socket.set(_LINGER, 0)
        socket.set(_SNDHWM, queued)
        socket.set(_RCVHWM, queued)
        socket.set(_MAXMSGSIZE, self._max_message_bytes)
        socket.set(_RECONNECT_IVL, RECONNECT_MS)
        socket.set(_HANDSHAKE_IVL, HANDSHAKE_MS)
        socket.set(_CURVE_PUBLICKEY, keys.public)
        socket.set(_CURVE_SECRETKEY, keys.secret)
        return socket

    def _bound(self, kind: int, path: str, keys: KeyPair) -> backend.Socket:
        _ = self.guard  # libzmq asks no one, and lets everyone in, if no handler is bound before the socket
        socket = self._secured(kind, keys)
        socket.set(zmq.CURVE_SERVER, 1)
        socket.set(zmq.ZAP_DOMAIN, b"runward")
        if kind == zmq.ROUTER:
            socket.set(zmq.ROUTER_MANDATORY, 1)
        if kind == zmq.XPUB:
            socket.set(zmq.XPUB_VERBOSE, 1)
        try:
            socket.bind(f"ipc://{path}")
        except zmq.ZMQError as error:
            socket.close()
            raise Unreachable(f"cannot bind {path}: {error}") from error
        return socket

    def _connected(self, kind: int, path: str, keys: KeyPair, server_key: bytes) -> backend.Socket:
        socket = self._secured(kind, keys)
        socket.set(_CURVE_SERVERKEY, server_key)
        socket.connect(f"ipc://{path}")
        return socket


class Guard:
    """The ZAP handler (RFC 27) of a process: lets in the keys on the list, by the name that they stand under.

    It answers when its owner's loop drains it, so it needs neither a thread nor a lock.
    """

    def __init__(self, socket: backend.Socket) -> None:
        self._names: dict[bytes, str] = {}
        self._socket = socket
        self._socket.bind("inproc://zeromq.zap.01")
        self.news = News(int(self._socket.get(_FD)))
        self.turned_away = 0

    def admit(self, public_key: bytes, name: str) -> None:
        """Let in the holder of this Z85 key, whose messages are from `name`."""
        self._names[z85.decode(public_key)] = name

    def dismiss(self, public_key: bytes) -> None:
        """Take the key off the list; connections that stand are not cut."""
        self._names.pop(z85.decode(public_key), None)

    def drain(self) -> bool:
        """Answer every waiting handshake; whether there was one."""
        worked = False
        while _has_news(self._socket):
            request = [frame.bytes for frame in _receive(self._socket)]
            _send(self._socket, self._verdict(request))
            worked = True
        return worked

    def _verdict(self, request: list[bytes]) -> list[bytes]:
        version, request_id, *_, mechanism = request[:6] if len(request) > 6 else [*request, b"", b""][:6]
        name = self._names.get(request[6]) if mechanism == b"CURVE" and len(request) > 6 else None
        if name is None:
            self.turned_away += 1
            return [version, request_id, b"400", b"not on the list", b"", b""]
        return [version, request_id, b"200", b"OK", name.encode(), b""]


class Inbox:
    """A ROUTER with the names of its senders."""

    def __init__(self, socket: backend.Socket, path: str) -> None:
        self._socket = socket
        self._path = path
        self.news = News(int(socket.get(_FD)))

    def drain(self, limit: int = DRAIN_AT_ONCE) -> Iterator[tuple[Sender, bytes]]:
        """What has arrived, at most `limit` messages; a message of a wrong shape is dropped."""
        for _ in range(limit):
            if not _has_news(self._socket):
                return
            frames = _receive(self._socket)
            if len(frames) == 2:
                route, body = frames
                yield Sender(str(body.get("User-Id")), route.bytes), body.bytes

    def send(self, route: bytes, body: bytes) -> bool:
        """Send to a connection; False if it is gone or does not take what it is sent."""
        self.news.may_be = True
        try:
            _send(self._socket, (route, body))
        except zmq.ZMQError:
            return False
        return True

    def close(self) -> None:
        """Close, and take the path away."""
        _close_bound(self._socket, self._path)


class Feed:
    """An XPUB: publishes without ever waiting for a reader, and hears of new subscribers."""

    def __init__(self, socket: backend.Socket, path: str) -> None:
        self._socket = socket
        self._path = path
        self.news = News(int(socket.get(_FD)))

    def publish(self, topic: bytes, *frames: bytes) -> None:
        """Send to the topic's subscribers; a slow one misses it."""
        self.news.may_be = True
        _send(self._socket, (topic, *frames))

    def subscribed(self) -> Iterator[bytes]:
        """Topics that somebody subscribed to since the last call."""
        while _has_news(self._socket):
            note = self._socket.recv(_NOBLOCK)
            if note[:1] == b"\x01":
                yield note[1:]

    def close(self) -> None:
        """Close, and take the path away."""
        _close_bound(self._socket, self._path)


class Outbox:
    """A DEALER to one inbox."""

    def __init__(self, socket: backend.Socket) -> None:
        self._socket = socket
        self.news = News(int(socket.get(_FD)))

    def send(self, body: bytes) -> None:
        """Queue one message; raises `Unreachable` if the queue is full."""
        self.news.may_be = True
        try:
            self._socket.send(body, _NOBLOCK)
        except zmq.Again as error:
            raise Unreachable("the mailbox is full: its reader is gone or far behind") from error

    def drain(self, limit: int = DRAIN_AT_ONCE) -> Iterator[bytes]:
        """What has arrived, at most `limit` messages."""
        for _ in range(limit):
            if not _has_news(self._socket):
                return
            yield self._socket.recv(_NOBLOCK)

    def close(self) -> None:
        """Close, dropping what is unsent."""
        self._socket.close()


class WatchedOutbox(Outbox):
    """An `Outbox` that tells what becomes of its line."""

    def __init__(self, socket: backend.Socket, monitor: backend.Socket) -> None:
        super().__init__(socket)
        self._monitor = monitor
        self.line = News(int(monitor.get(_FD)))

    def line_news(self) -> Iterator[Line]:
        """What became of the line since the last call, in order. A line that never was up is no news."""
        while _has_news(self._monitor):
            number, _endpoint = _receive(self._monitor)
            yield _LINE_EVENTS[int.from_bytes(number.bytes[:2], sys.byteorder)]  # zmq_socket_monitor(3)

    def close(self) -> None:
        """Close, dropping what is unsent."""
        self._socket.monitor(None, 0)
        self._monitor.close()
        super().close()


# libzmq tells of a handshake that failed for another reason by nothing but trying again.
_LINE_EVENTS: dict[int, Line] = {
    zmq.EVENT_HANDSHAKE_SUCCEEDED: Line.UP,
    zmq.EVENT_DISCONNECTED: Line.CUT,
    zmq.EVENT_HANDSHAKE_FAILED_AUTH: Line.REFUSED,
}


class Subscription:
    """A SUB on the feed."""

    def __init__(self, socket: backend.Socket) -> None:
        self._socket = socket
        self.news = News(int(socket.get(_FD)))

    def subscribe(self, topic: bytes) -> None:
        """Hear this topic; the feed's owner sends a welcome once it does."""
        self.news.may_be = True
        self._socket.set(zmq.SUBSCRIBE, topic)

    def unsubscribe(self, topic: bytes) -> None:
        """Hear it no more."""
        self.news.may_be = True
        self._socket.set(zmq.UNSUBSCRIBE, topic)

    def drain(self, limit: int = DRAIN_AT_ONCE) -> Iterator[list[bytes]]:
        """What has arrived: lists of frames, the topic first; at most `limit`."""
        for _ in range(limit):
            if not _has_news(self._socket):
                return
            yield [frame.bytes for frame in _receive(self._socket)]

    def close(self) -> None:
        """Close."""
        self._socket.close()


def _has_news(socket: backend.Socket) -> bool:
    """Whether there is something to receive, and then it can be. Trying in vain takes longer (6.3 µs, not 1.5)."""
    return bool(int(socket.get(_EVENTS)) & _POLLIN)


def _receive(socket: backend.Socket) -> list[zmq.Frame]:
    """All frames of one message, which is there."""
    frame = socket.recv(_NOBLOCK, copy=False)
    frames = [frame]
    while frame.more:
        frame = socket.recv(_NOBLOCK, copy=False)
        frames.append(frame)
    return frames


def _send(socket: backend.Socket, frames: Sequence[bytes]) -> None:
    """One message. Raises `zmq.ZMQError` if it can't be taken now."""
    for frame in frames[:-1]:
        socket.send(frame, _NOBLOCK | _SNDMORE)
    socket.send(frames[-1], _NOBLOCK)


def _close_bound(socket: backend.Socket, path: str) -> None:
    """libzmq leaves a path that it was given."""
    socket.close()
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
