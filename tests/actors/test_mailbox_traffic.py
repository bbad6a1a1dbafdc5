"""What passes through mailboxes, what is dropped, and that neither a slow nor a gone peer costs anything."""

import os
import select
import time
from itertools import count
from pathlib import Path

import pytest

from runward.actors.errors import Unreachable
from runward.actors.mailbox import DRAIN_AT_ONCE, QUEUED_MESSAGES
from tests.support.waiting import until

from .posts import ANN, BOB, DEADLINE_S, MAX_MESSAGE_BYTES, Client, Connect, Server, raw_dealer, rss_bytes

pytestmark = pytest.mark.usefixtures("nothing_left")

KIB = 1_024
ENCRYPTION_BYTES = 33  # of each message; the maximum counts them (RFC 26)


def test_messages_of_one_sender_come_in_order_and_none_is_missing(server: Server, connect: Connect) -> None:
    ann = connect(ANN)
    sent = [f"{number}".encode() for number in range(2_000)]
    for body in sent:
        ann.outbox.send(body)
    until(lambda: len(server.bodies()) == len(sent), DEADLINE_S, "all messages")
    assert server.bodies() == sent


def test_the_empty_message_and_the_largest_are_messages_too(server: Server, connect: Connect) -> None:
    ann = connect(ANN)
    for body in (b"", b"x" * (MAX_MESSAGE_BYTES - ENCRYPTION_BYTES), bytes(range(256))):
        ann.outbox.send(body)
        server.await_body(body)


@pytest.mark.parametrize("size", [MAX_MESSAGE_BYTES - ENCRYPTION_BYTES + 1, 20 * MAX_MESSAGE_BYTES], ids=repr)
def test_a_message_above_the_maximum_is_dropped_with_its_connection_and_the_sender_comes_again(
    server: Server, connect: Connect, size: int
) -> None:
    ann, bob = connect(ANN), connect(BOB)
    ann.outbox.send(b"before")
    route = server.await_body(b"before").route
    ann.outbox.send(b"x" * size)
    until(lambda: not server.turn().inbox.send(route, b"?"), DEADLINE_S, "the end of the connection")
    bob.outbox.send(b"from bob")
    server.await_body(b"from bob")
    heard_again(server, ann)
    assert max(len(body) for body in server.bodies()) < 100


def heard_again(server: Server, client: Client) -> None:
    """Return once something that the client says now is heard."""
    numbers = count()

    def say_and_listen() -> bool:
        client.outbox.send(b"again %d" % next(numbers))
        return any(body.startswith(b"again") for body in server.bodies())

    until(say_and_listen, DEADLINE_S, "a client that found its server again")


def test_who_is_gone_is_not_written_to(server: Server, tmp_path: Path) -> None:
    client = Client(tmp_path, ANN)
    client.outbox.send(b"hello")
    route = server.await_body(b"hello").route
    assert server.inbox.send(route, b"you are here")
    client.close()
    until(lambda: not server.inbox.send(route, b"and now?"), DEADLINE_S, "a refusal to write to the gone")


@pytest.mark.parametrize("route", [b"", b"nobody", b"\x00\x01\x02\x03\x04", b"x" * 300], ids=repr)
def test_a_route_that_never_was_is_not_written_to(server: Server, route: bytes) -> None:
    assert not server.inbox.send(route, b"hello")


def test_a_drain_gives_no_more_than_its_limit_and_the_rest_later(server: Server, connect: Connect) -> None:
    ann = connect(ANN)
    for number in range(DRAIN_AT_ONCE + 10):
        ann.outbox.send(b"%d" % number)
    heard: list[bytes] = []

    def drain() -> bool:
        server.post.guard.drain()
        part = [body for _, body in server.inbox.drain()]
        assert len(part) <= DRAIN_AT_ONCE
        heard.extend(part)
        return len(heard) == DRAIN_AT_ONCE + 10

    until(drain, DEADLINE_S, "all messages")
    assert len(list(server.inbox.drain(limit=1))) == 0


def test_the_descriptor_wakes_its_owner(server: Server, connect: Connect) -> None:
    ann = connect(ANN)
    ann.outbox.send(b"hello")
    server.await_body(b"hello")
    assert server.bodies() == [b"hello"]
    ann.outbox.send(b"wake up")
    ready, _, _ = select.select([server.inbox.news.fd], [], [], DEADLINE_S)
    assert ready == [server.inbox.news.fd]
    server.await_body(b"wake up")


def test_a_knock_at_the_door_wakes_the_guard(server: Server, connect: Connect) -> None:
    connect(ANN).outbox.send(b"hello")
    ready, _, _ = select.select([server.post.guard.news.fd], [], [], DEADLINE_S)
    assert ready
    until(server.post.guard.drain, DEADLINE_S, "a handshake to answer")


# ── a server that comes again ───────────────────────────────────────────────────────────────────


def test_a_server_that_comes_again_is_found_within_a_second(tmp_path: Path) -> None:
    server, client = Server(tmp_path), Client(tmp_path, ANN)
    client.outbox.send(b"to the first")
    server.await_body(b"to the first")
    server.close()
    again = Server(tmp_path)
    began = time.monotonic()
    client.outbox.send(b"to the second")
    sender = again.await_body(b"to the second")
    took_s = time.monotonic() - began
    assert again.inbox.send(sender.route, b"welcome back")
    until(lambda: client.turn().heard == [b"welcome back"], DEADLINE_S, "an answer")
    again.close()
    client.close()
    assert took_s < 1.0


def test_a_client_may_be_there_before_its_server(tmp_path: Path) -> None:
    client = Client(tmp_path, ANN)
    client.outbox.send(b"hello")
    server = Server(tmp_path)
    server.await_body(b"hello")
    server.close()
    client.close()


def test_a_path_that_a_killed_server_left_is_taken_over(tmp_path: Path) -> None:
    pid = os.fork()
    if pid == 0:
        Server(tmp_path)
        os._exit(0)
    os.waitpid(pid, 0)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["feed", "inbox"]
    server, client = Server(tmp_path), Client(tmp_path, ANN)
    client.outbox.send(b"hello")
    server.await_body(b"hello")
    server.close()
    client.close()


# ── who does not read ───────────────────────────────────────────────────────────────────────────


def test_a_mailbox_that_nobody_reads_says_so_when_it_is_full(tmp_path: Path) -> None:
    client = Client(tmp_path, ANN)
    for _ in range(QUEUED_MESSAGES):
        client.outbox.send(b"x")
    with pytest.raises(Unreachable, match="full"):
        client.outbox.send(b"x")
    client.close()


def test_a_peer_that_never_reads_is_not_waited_for_and_grows_nothing(server: Server, tmp_path: Path) -> None:
    with raw_dealer(tmp_path / "inbox", keys=ANN) as deaf:
        deaf.send(b"hello")
        route = server.await_body(b"hello").route
        before = rss_bytes()
        began = time.monotonic()
        taken = sum(server.inbox.send(route, b"x" * KIB) for _ in range(20 * QUEUED_MESSAGES))
        took_s = time.monotonic() - began
        grown = rss_bytes() - before
    assert taken < 4 * QUEUED_MESSAGES  # here, there, and what is on its way
    assert grown < 4 * QUEUED_MESSAGES * 2 * KIB
    assert took_s < 5.0


def test_a_peer_that_never_reads_keeps_nobody_else_waiting(
    server: Server, connect: Connect, tmp_path: Path
) -> None:
    bob = connect(BOB)
    with raw_dealer(tmp_path / "inbox", keys=ANN) as deaf:
        deaf.send(b"hello")
        route = server.await_body(b"hello").route
        while server.inbox.send(route, b"x" * KIB):
            pass  # until its queue is full
        bob.outbox.send(b"from bob")
        assert server.inbox.send(server.await_body(b"from bob").route, b"to bob")
        until(lambda: bob.turn().heard == [b"to bob"], DEADLINE_S, "an answer to bob")
