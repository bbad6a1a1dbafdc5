"""Who gets into a mailbox, and under which name: by key, and by nothing else."""

import os
import random
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
import zmq

from runward.actors.errors import Unreachable
from runward.actors.mailbox import KeyPair, Post
from tests.support.waiting import until

from .posts import (
    ANN,
    BOB,
    DEADLINE_S,
    MAX_MESSAGE_BYTES,
    SERVER,
    STRANGER,
    Connect,
    Server,
    Tap,
    raw_connection,
    raw_dealer,
)

pytestmark = pytest.mark.usefixtures("nothing_left")


def test_a_message_comes_in_under_the_name_of_its_key(server: Server, connect: Connect) -> None:
    ann, bob = connect(ANN), connect(BOB)
    ann.outbox.send(b"from ann")
    bob.outbox.send(b"from bob")
    assert server.await_body(b"from ann").name == "ann"
    assert server.await_body(b"from bob").name == "bob"
    assert server.turned_away() == 0


def test_an_answer_reaches_who_asked(server: Server, connect: Connect) -> None:
    ann, bob = connect(ANN), connect(BOB)
    ann.outbox.send(b"from ann")
    bob.outbox.send(b"from bob")
    for name in (b"ann", b"bob"):
        assert server.inbox.send(server.await_body(b"from " + name).route, b"to " + name)
    until(lambda: ann.turn().heard and bob.turn().heard, DEADLINE_S, "both answers")
    assert (ann.heard, bob.heard) == ([b"to ann"], [b"to bob"])


def test_a_key_that_is_not_on_the_list_gets_nothing_through_and_is_counted(
    server: Server, connect: Connect
) -> None:
    stranger, ann = connect(STRANGER), connect(ANN)
    stranger.outbox.send(b"let me in")
    stranger.subscription.subscribe(b"")
    until(lambda: server.turned_away() >= 2, DEADLINE_S, "a refusal of both")
    ann.outbox.send(b"hello")
    server.await_body(b"hello")
    server.feed.publish(b"topic", b"secret")
    assert server.bodies() == [b"hello"]
    assert server.topics == []
    assert stranger.turn().heard == []
    assert stranger.news == []


def test_a_key_that_was_taken_off_the_list_gets_in_no_more(server: Server, connect: Connect) -> None:
    server.post.guard.dismiss(ANN.public)
    connect(ANN).outbox.send(b"let me in")
    until(lambda: server.turned_away() >= 1, DEADLINE_S, "a refusal")
    assert server.bodies() == []


def test_a_key_may_be_put_on_the_list_after_its_holder_began_to_knock(
    server: Server, connect: Connect
) -> None:
    connect(STRANGER).outbox.send(b"let me in")
    server.post.guard.admit(STRANGER.public, "no stranger")
    assert server.await_body(b"let me in").name == "no stranger"


def test_to_take_a_key_off_twice_or_one_that_was_never_on_is_harmless(server: Server) -> None:
    server.post.guard.dismiss(STRANGER.public)
    server.post.guard.dismiss(ANN.public)
    server.post.guard.dismiss(ANN.public)


def test_a_client_that_knows_another_servers_key_talks_to_nobody(server: Server, connect: Connect) -> None:
    lost, ann = connect(ANN, STRANGER.public), connect(ANN)
    lost.outbox.send(b"for another server")
    ann.outbox.send(b"hello")
    server.await_body(b"hello")
    assert server.bodies() == [b"hello"]


def test_who_does_not_speak_curve_gets_nothing_through(
    server: Server, connect: Connect, tmp_path: Path
) -> None:
    with raw_dealer(tmp_path / "inbox") as dealer:
        dealer.send(b"in the clear")
        connect(ANN).outbox.send(b"hello")
        server.await_body(b"hello")
        assert server.bodies() == [b"hello"]


def test_who_takes_anothers_routing_id_takes_neither_his_name_nor_his_answers(
    server: Server, tmp_path: Path
) -> None:
    """The one who came first keeps it for as long as he stays; the other is not heard at all."""
    inbox = tmp_path / "inbox"
    with raw_dealer(inbox, b"same", ANN) as ann:
        ann.send(b"from ann")
        server.await_body(b"from ann")
        with raw_dealer(inbox, b"same", BOB) as bob, raw_dealer(inbox, b"other", BOB) as other:
            bob.send(b"from bob")
            other.send(b"from bob by another connection")
            server.await_body(b"from bob by another connection")
            ann.send(b"from ann again")
            server.await_body(b"from ann again")
            assert server.inbox.send(b"same", b"to ann")
            until(lambda: ann.poll(0) != 0, DEADLINE_S, "an answer to ann")
            assert bob.poll(0) == other.poll(0) == 0
    assert [(sender.name, body) for sender, body in server.turn().heard] == [
        ("ann", b"from ann"),
        ("bob", b"from bob by another connection"),
        ("ann", b"from ann again"),
    ]


def test_a_routing_id_that_its_first_holder_left_is_told_by_the_key_of_the_next(
    server: Server, tmp_path: Path
) -> None:
    for name, keys in (("ann", ANN), ("bob", BOB)):
        with raw_dealer(tmp_path / "inbox", b"same", keys) as dealer:
            until(
                lambda: not server.inbox.send(b"same", b"?"), DEADLINE_S, "the end of the connection before"
            )
            dealer.send(f"from {name}".encode())
            assert server.await_body(f"from {name}".encode()).name == name


# ── noise ───────────────────────────────────────────────────────────────────────────────────────

CHANCE = random.Random(7)
GREETING = b"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x03\x01"
NOISE = {
    "nothing": b"",
    "a few bytes": b"\x00\x01",
    "text": b"GET / HTTP/1.1\r\n\r\n" * 10,
    "random bytes": CHANCE.randbytes(4_096),
    "half a greeting": GREETING,
    "a greeting without a mechanism": GREETING + b"NULL" + b"\0" * 48,
    "a greeting with a mechanism of its own": GREETING + b"PLAIN" + b"\0" * 47,
    "a curve greeting and then noise": GREETING + b"CURVE" + b"\0" * 47 + CHANCE.randbytes(400),
    "a curve greeting and a command that is too long": GREETING
    + b"CURVE"
    + b"\0" * 47
    + b"\x06"
    + b"\xff" * 8,
    "an older protocol": b"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x01\x05" + b"\x00" * 20,
}


@pytest.mark.parametrize("noise", NOISE.values(), ids=NOISE)
def test_noise_gets_nothing_through_and_the_mailbox_goes_on(
    server: Server, connect: Connect, tmp_path: Path, noise: bytes
) -> None:
    with raw_connection(tmp_path / "inbox") as connection:
        try:
            connection.sendall(noise)
        except BrokenPipeError:
            pass  # it has had enough already
        connect(ANN).outbox.send(b"hello")
        assert server.await_body(b"hello").name == "ann"
        assert server.bodies() == [b"hello"]


def test_two_hundred_who_connect_and_say_nothing_keep_nobody_out(
    server: Server, connect: Connect, tmp_path: Path
) -> None:
    with ExitStack() as waiting:
        for _ in range(200):
            waiting.enter_context(raw_connection(tmp_path / "inbox"))
        connect(ANN).outbox.send(b"hello")
        server.await_body(b"hello")


def test_what_was_recorded_on_the_wire_is_worth_nothing_when_it_is_played_again(
    server: Server, tmp_path: Path
) -> None:
    tap = Tap(tmp_path / "tapped", tmp_path / "inbox")
    with raw_dealer(tmp_path / "tapped", keys=ANN) as ann:
        ann.send(b"pay bob")
        until(
            lambda: tap.turn() and b"pay bob" in server.bodies(),
            DEADLINE_S,
            "the message over the tapped wire",
        )
    tap.close()
    assert b"pay bob" not in tap.recorded
    with raw_connection(tmp_path / "inbox") as connection, raw_dealer(tmp_path / "inbox", keys=BOB) as bob:
        connection.sendall(tap.recorded)
        while connection.recv(4_096):
            pass  # until the server has had enough of it
        bob.send(b"hello")
        server.await_body(b"hello")
        assert server.bodies() == [b"pay bob", b"hello"]


def test_a_message_in_more_parts_than_one_is_dropped(
    server: Server, connect: Connect, tmp_path: Path
) -> None:
    with raw_dealer(tmp_path / "inbox", keys=ANN) as ann:
        ann.send_multipart([b"two", b"parts"])
        ann.send_multipart([b"", b"", b""])
        ann.send(b"one part")
        server.await_body(b"one part")
    assert server.bodies() == [b"one part"]


# ── places ──────────────────────────────────────────────────────────────────────────────────────


def test_the_paths_are_gone_when_the_post_is_closed(tmp_path: Path) -> None:
    server = Server(tmp_path)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["feed", "inbox"]
    server.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["/nonexistent/inbox", "/tmp/" + "x" * 120], ids=["no folder", "too long"])
@pytest.mark.parametrize("bind", [Post.inbox, Post.feed], ids=["inbox", "feed"])
def test_where_it_can_not_be_bound_says_so_and_leaks_nothing(
    bind: Callable[[Post, str, KeyPair], object], path: str
) -> None:
    post = Post(MAX_MESSAGE_BYTES)
    with pytest.raises(Unreachable, match="cannot bind"):
        bind(post, path, SERVER)
    post.close()


def test_after_a_fork_a_post_refuses_to_open_anything(tmp_path: Path) -> None:
    post = Post(MAX_MESSAGE_BYTES)
    box = post.outbox(str(tmp_path / "inbox"), ANN, SERVER.public)
    pid = os.fork()
    if pid == 0:
        refused = 0
        for call in (
            lambda: post.outbox(str(tmp_path / "inbox"), ANN, SERVER.public),
            lambda: post.subscription(str(tmp_path / "feed"), ANN, SERVER.public),
            lambda: post.inbox(str(tmp_path / "inbox2"), SERVER),
            lambda: post.feed(str(tmp_path / "feed2"), SERVER),
        ):
            try:
                call()
            except RuntimeError:
                refused += 1
        os._exit(refused)
    _, status = os.waitpid(pid, 0)
    box.close()
    post.close()
    assert os.waitstatus_to_exitcode(status) == 4


def test_a_key_pair_is_new_each_time_and_as_zeromq_wants_it() -> None:
    one, other = KeyPair.generate(), KeyPair.generate()
    assert len({one.public, one.secret, other.public, other.secret}) == 4
    assert zmq.curve_public(one.secret) == one.public
