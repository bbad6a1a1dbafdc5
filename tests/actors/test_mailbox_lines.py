"""What becomes of a line to an inbox, as who watches it is told."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runward.actors.mailbox import KeyPair, Line, Post, WatchedOutbox
from tests.support.waiting import until

from .posts import ANN, DEADLINE_S, MAX_MESSAGE_BYTES, SERVER, STRANGER, Server

pytestmark = pytest.mark.usefixtures("nothing_left")

Watch = Callable[[KeyPair], WatchedOutbox]


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    """Makes watched lines to the inbox in `tmp_path`, whether or not there is one."""
    post = Post(MAX_MESSAGE_BYTES)
    made: list[WatchedOutbox] = []

    def watched(keys: KeyPair) -> WatchedOutbox:
        made.append(post.watched_outbox(str(tmp_path / "inbox"), keys, SERVER.public))
        return made[-1]

    yield watched
    for outbox in made:
        outbox.close()
    post.close()


def await_news(outbox: WatchedOutbox, *wanted: Line, server: Server | None = None) -> None:
    """Return once this is all that was told since the last call."""
    told: list[Line] = []

    def is_told() -> bool:
        if server is not None:
            server.turn()
        told.extend(outbox.line_news())
        return len(told) >= len(wanted)

    until(is_told, DEADLINE_S, lambda: f"{wanted}, not {told}")
    assert told == list(wanted)


def test_a_line_is_up_once_the_inbox_let_it_in(watch: Watch, server: Server) -> None:
    outbox = watch(ANN)
    await_news(outbox, Line.UP, server=server)
    outbox.send(b"hello")
    server.await_body(b"hello")
    assert list(outbox.line_news()) == []


def test_a_stranger_is_told_that_it_is_refused(watch: Watch, server: Server) -> None:
    await_news(watch(STRANGER), Line.REFUSED, Line.CUT, server=server)


def test_a_line_is_cut_by_the_end_of_the_inbox_and_up_again_with_the_next(
    watch: Watch, tmp_path: Path
) -> None:
    first = Server(tmp_path)
    outbox = watch(ANN)
    await_news(outbox, Line.UP, server=first)
    first.close()
    await_news(outbox, Line.CUT)
    second = Server(tmp_path)
    try:
        await_news(outbox, Line.UP, server=second)
    finally:
        second.close()
