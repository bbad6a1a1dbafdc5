"""Both ends of mailboxes: a server that remembers what it heard, clients of every kind, and wires that lie."""

import os
import selectors
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import zmq

from runward.actors.mailbox import Feed, Inbox, KeyPair, Outbox, Post, Sender, Subscription
from tests.support.waiting import until

SERVER = KeyPair.generate()
ANN, BOB, STRANGER = KeyPair.generate(), KeyPair.generate(), KeyPair.generate()
MAX_MESSAGE_BYTES = 65_536
DEADLINE_S = 10.0


def rss_bytes() -> int:
    """What this process holds in memory now (proc_pid_statm(5))."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Server:
    """An inbox and a feed that let in ann and bob. `heard` is everything that came, with who sent it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.post = Post(MAX_MESSAGE_BYTES)
        self.post.guard.admit(ANN.public, "ann")
        self.post.guard.admit(BOB.public, "bob")
        self.inbox: Inbox = self.post.inbox(str(folder / "inbox"), SERVER)
        self.feed: Feed = self.post.feed(str(folder / "feed"), SERVER)
        self.heard: list[tuple[Sender, bytes]] = []
        self.topics: list[bytes] = []

    def turn(self) -> "Server":
        """What an owner's loop does in a turn."""
        self.post.guard.drain()
        self.heard += self.inbox.drain()
        self.topics += self.feed.subscribed()
        return self

    def bodies(self) -> list[bytes]:
        return [body for _, body in self.turn().heard]

    def turned_away(self) -> int:
        self.turn()
        return self.post.guard.turned_away

    def await_body(self, body: bytes) -> Sender:
        """Who said this, once it is here."""
        until(lambda: body in self.bodies(), DEADLINE_S, f"{body!r}")
        return next(sender for sender, heard in self.heard if heard == body)

    def close(self) -> None:
        for mailbox in (self.inbox, self.feed):
            mailbox.close()
        self.post.close()


class Client:
    """An outbox and a subscription with a key; `heard` is everything that came."""

    def __init__(self, folder: Path, keys: KeyPair, server_key: bytes = SERVER.public) -> None:
        self.post = Post(MAX_MESSAGE_BYTES)
        self.outbox: Outbox = self.post.outbox(str(folder / "inbox"), keys, server_key)
        self.subscription: Subscription = self.post.subscription(str(folder / "feed"), keys, server_key)
        self.heard: list[bytes] = []
        self.news: list[list[bytes]] = []

    def turn(self) -> "Client":
        self.heard += self.outbox.drain()
        self.news += self.subscription.drain()
        return self

    def close(self) -> None:
        for mailbox in (self.outbox, self.subscription):
            mailbox.close()
        self.post.close()


Connect = Callable[..., Client]


@contextmanager
def raw_dealer(
    path: Path, identity: bytes = b"", keys: KeyPair | None = None
) -> Iterator["zmq.Socket[bytes]"]:
    """A socket of ZeroMQ's own, with whatever identity; without keys it does not even speak CURVE."""
    context = zmq.Context(io_threads=1)
    dealer = context.socket(zmq.DEALER)
    dealer.setsockopt(zmq.LINGER, 0)
    if identity:
        dealer.setsockopt(zmq.IDENTITY, identity)
    if keys is not None:
        dealer.curve_publickey, dealer.curve_secretkey = keys.public, keys.secret
        dealer.curve_serverkey = SERVER.public
    dealer.connect(f"ipc://{path}")
    try:
        yield dealer
    finally:
        context.destroy(linger=0)


@contextmanager
def raw_connection(path: Path) -> Iterator[socket.socket]:
    """A plain unix socket at the mailbox."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(str(path))  # blocks while the backlog is full
        connection.settimeout(DEADLINE_S)
        yield connection


class Tap:
    """A wire between a client and an inbox that writes down what the client says. Turned by hand, no thread."""

    def __init__(self, at: Path, to: Path) -> None:
        self._to = to
        self.recorded = b""
        self._selector = selectors.DefaultSelector()
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listening.bind(str(at))
        self._listening.listen()
        self._selector.register(self._listening, selectors.EVENT_READ)
        self._ends: list[socket.socket] = []

    def turn(self) -> "Tap":
        for key, _ in self._selector.select(0):
            if key.fileobj is self._listening:
                self._accept()
            else:
                self._pass_on(key.fd)
        return self

    def _accept(self) -> None:
        client, _ = self._listening.accept()
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        server.connect(str(self._to))
        self._ends = [client, server]
        for end in self._ends:
            self._selector.register(end, selectors.EVENT_READ)

    def _pass_on(self, fd: int) -> None:
        client, server = self._ends
        heard = os.read(fd, 65_536)
        if fd == client.fileno():
            self.recorded += heard
            server.sendall(heard)
        else:
            client.sendall(heard)

    def close(self) -> None:
        for end in (self._listening, *self._ends):
            end.close()
        self._selector.close()
