"""Feeds without sockets: whatever the feed drops, doubles or reorders, followers see every event once, in order."""

import asyncio
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st

from runward.actors.journal.reader import Reader
from runward.actors.messages.feed import Published
from runward.http import run_feed
from runward.http.feeds import Feeds
from runward.http.run_feed import FEW_FOLLOWERS, RunFeed

from .eventually import until
from .feed_parts import RUN, Follower, Journal, Wire, tell

KEY = 1


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def room(tail_bytes: int = 1 << 20) -> tuple[Feeds, Journal, Wire, Clock]:
    journal, wire, clock = Journal(), Wire(), Clock()
    return Feeds(wire, cast(Reader, journal), tail_bytes, clock), journal, wire, clock


def read_from(feed: RunFeed, after: int) -> list[int]:
    """Everything up to the head, as a reader who is behind would read it."""
    seen: list[int] = []
    while after < feed.head:
        part = feed.page(after)
        assert part is not None
        assert part.first == after + 1
        seen += range(part.first, part.last + 1)
        after = part.last
    return seen


def test_a_feed_is_opened_for_the_first_and_closed_after_the_last() -> None:
    feeds, _, wire, _ = room()
    one, two = Follower(), Follower()
    feed = feeds.join(RUN, KEY, one)
    assert feeds.join(RUN, KEY, two) is feed
    assert wire.topics == [RUN]
    feeds.leave(feed, one)
    assert wire.topics == [RUN]
    feeds.leave(feed, two)
    assert wire.topics == []
    assert feeds.join(RUN, KEY, one) is not feed


def test_an_ended_run_needs_no_subscription() -> None:
    feeds, journal, wire, _ = room()
    journal.append(3, end=True)
    follower = Follower()
    feed = feeds.join(RUN, KEY, follower)
    assert (feed.head, feed.ended, wire.topics) == (3, True, [])
    feeds.leave(feed, follower)


def test_what_is_heard_is_offered_once_in_one_piece() -> None:
    feeds, journal, _, _ = room()
    follower = Follower()
    feeds.join(RUN, KEY, follower)
    for count in (1, 2, 3):
        tell(feeds, journal.append(count))
    assert follower.offered == []
    feeds.flush()
    feeds.flush()
    assert follower.offered == [(1, 6)]


def test_a_welcome_tells_of_what_came_before_it() -> None:
    feeds, journal, _, _ = room()
    follower = Follower()
    feed = feeds.join(RUN, KEY, follower)
    journal.append(4)
    feeds.hear(RUN, Published(5, 0), b"")
    assert follower.roused == 1
    assert (feed.head, read_from(feed, 0)) == (4, [1, 2, 3, 4])


def test_a_welcome_that_tells_nothing_new_rouses_nobody() -> None:
    feeds, journal, _, _ = room()
    journal.append(4)
    follower = Follower()
    feeds.join(RUN, KEY, follower)
    roused = follower.roused
    feeds.hear(RUN, Published(5, 0), b"")
    assert follower.roused == roused


def test_a_welcome_may_say_that_the_run_is_over() -> None:
    feeds, journal, _, _ = room()
    feed = feeds.join(RUN, KEY, Follower())
    journal.append(2, end=True)
    feeds.hear(RUN, Published(3, 0, ended=True), b"")
    assert (feed.head, feed.ended) == (2, True)


def test_the_tail_is_bounded_and_the_journal_has_the_rest() -> None:
    feeds, journal, _, _ = room(tail_bytes=1000)
    feed = feeds.join(RUN, KEY, Follower())
    for _ in range(50):
        tell(feeds, journal.append(5))
        feeds.flush()
    assert journal.reads == 0
    assert read_from(feed, 240) == list(range(241, 251))
    assert journal.reads == 0
    assert read_from(feed, 0) == list(range(1, 251))
    assert journal.reads > 0
    assert feed._tail.size <= 1000


async def test_many_readers_are_written_to_at_a_pace_that_begins_at_once() -> None:
    feeds, journal, _, clock = room()
    clock.now = asyncio.get_running_loop().time()
    followers = [Follower() for _ in range(FEW_FOLLOWERS + 1)]
    for follower in followers:
        feeds.join(RUN, KEY, follower)
    for _ in range(4):
        tell(feeds, journal.append(1))
        feeds.flush()
    assert all(follower.offered == [(1, 1)] for follower in followers)
    await until(lambda: len(followers[0].offered) == 2, "what the pace held back")
    assert all(follower.offered == [(1, 1), (2, 4)] for follower in followers)


async def test_the_pace_holds_back_no_more_than_a_little() -> None:
    feeds, journal, _, _ = room()
    followers = [Follower() for _ in range(FEW_FOLLOWERS + 1)]
    for follower in followers:
        feed = feeds.join(RUN, KEY, follower)
    tell(feeds, journal.append(1))
    feeds.flush()
    large = journal.append(2000)
    assert len(large.data) > run_feed.FLUSH_BYTES
    tell(feeds, large)
    feeds.flush()
    assert (followers[0].offered[0], followers[0].offered[-1][1]) == ((1, 1), 2001)
    feed.stop()


def test_what_comes_at_once_is_offered_in_pieces() -> None:
    feeds, journal, _, _ = room()
    follower = Follower()
    feeds.join(RUN, KEY, follower)
    tell(feeds, journal.append(4000, end=True))
    feeds.flush()
    offered = follower.offered
    assert len(offered) > 2
    assert [first for first, _ in offered] == [1, *(last + 1 for _, last in offered[:-1])]
    assert offered[-1][1] == 4000


def test_what_is_only_announced_is_in_the_journal() -> None:
    feeds, journal, _, _ = room()
    follower = Follower()
    feed = feeds.join(RUN, KEY, follower)
    tell(feeds, journal.append(2))
    feeds.flush()
    journal.append(3, end=True)
    feeds.hear(RUN, Published(3, 3, ended=True), b"")
    feeds.flush()
    assert (feed.head, feed.ended, read_from(feed, 2)) == (5, True, [3, 4, 5])
    assert (follower.offered, follower.roused) == ([(1, 2)], 1)


def test_those_who_are_about_as_far_behind_share_what_is_read_and_its_frames() -> None:
    feeds, journal, _, _ = room(tail_bytes=1000)
    journal.append(4000)  # one row, as a turn of the supervisor is
    journal.append(1)
    feed = feeds.join(RUN, KEY, Follower())
    first = feed.page(0)
    assert first is not None
    assert len(first.lines) <= run_feed.PIECE_BYTES
    second = feed.page(first.last)
    assert second is not None
    assert (feed.page(0), feed.page(first.last)) == (first, second)
    assert journal.reads == 1
    assert read_from(feed, 0) == list(range(1, 4002))
    assert read_from(feed, 17) == list(range(18, 4002))


def test_of_what_is_read_at_once_only_so_much_is_kept() -> None:
    feeds, journal, _, _ = room(tail_bytes=1000)
    journal.append(20_000)
    feed = feeds.join(RUN, KEY, Follower())
    assert read_from(feed, 0) == list(range(1, 20_001))
    assert feed._read.size <= run_feed.READ_BYTES


def test_a_lost_last_message_is_found_by_the_second_check() -> None:
    feeds, journal, _, _ = room()
    follower = Follower()
    feed = feeds.join(RUN, KEY, follower)
    tell(feeds, journal.append(1))
    feeds.flush()
    journal.append(2, end=True)
    feed.check()
    feed.check()
    assert (feed.head, feed.ended) == (3, True)
    assert follower.roused > 0


def test_closing_rouses_everybody_and_those_who_come_later() -> None:
    feeds, _, _, _ = room()
    follower = Follower()
    feed = feeds.join(RUN, KEY, follower)
    feeds.close()
    assert feed.closing
    assert follower.roused == 1
    assert feeds.join("run_2", KEY, Follower()).closing


# A story: batches are journalled in order; each message is then delivered, lost, or delivered late or twice.
FATES = st.lists(
    st.tuples(st.integers(1, 4), st.sampled_from(["heard", "lost", "twice", "late"])), max_size=25
)


@settings(max_examples=3 * settings().max_examples)
@given(FATES, st.integers(0, 3), st.integers(200, 2000))
def test_no_fate_of_messages_makes_a_hole(
    fates: list[tuple[int, str]], subscribed_after: int, tail_bytes: int
) -> None:
    feeds, journal, _, _ = room(tail_bytes)
    for _ in range(subscribed_after):
        journal.append(2)
    feed = feeds.join(RUN, KEY, Follower())
    late = []
    for count, fate in fates:
        batch = journal.append(count)
        if fate == "late":
            late.append(batch)
        for _ in range({"heard": 1, "twice": 2}.get(fate, 0)):
            tell(feeds, batch)
        if len(late) > 2:
            tell(feeds, late.pop(0))
        feeds.flush()
        seen = read_from(feed, 0)  # a page of the journal may hold more than the feed knows of
        assert seen == list(range(1, max(feed.head, len(seen)) + 1))
    end = journal.append(1, end=True)
    feed.check()
    feed.check()
    assert (feed.head, feed.ended) == (end.last, True)
    assert read_from(feed, 0) == list(range(1, end.last + 1))
