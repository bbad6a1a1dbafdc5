"""The feed: who subscribed is heard of and hears; who is slow misses news and costs nothing."""

import pytest

from runward.actors.mailbox import QUEUED_MESSAGES
from tests.support.waiting import until

from .posts import ANN, BOB, DEADLINE_S, Client, Connect, Server, rss_bytes

pytestmark = pytest.mark.usefixtures("nothing_left")

KIB = 1_024


def test_a_new_subscriber_is_heard_of_so_that_he_can_be_welcomed(server: Server, connect: Connect) -> None:
    ann, bob = connect(ANN), connect(BOB)
    for number, client in enumerate((ann, bob), 1):
        client.subscription.subscribe(b"run_1")
        until(lambda: len(server.turn().topics) == number, DEADLINE_S, "the subscription")  # noqa: B023
        server.feed.publish(b"run_1", b"welcome", b"%d" % number)
        until(lambda: client.turn().news, DEADLINE_S, "a welcome")  # noqa: B023
    assert server.topics == [b"run_1", b"run_1"]
    assert bob.news == [[b"run_1", b"welcome", b"2"]]


def test_only_what_was_subscribed_to_comes_and_no_more_once_it_is_not(
    server: Server, connect: Connect
) -> None:
    ann = connect(ANN)
    ann.subscription.subscribe(b"run_1")
    ann.subscription.subscribe(b"run_2")
    until(lambda: len(server.turn().topics) == 2, DEADLINE_S, "both subscriptions")
    for topic in (b"run_1", b"run_3", b"run_2"):
        server.feed.publish(topic, b"news")
    until(lambda: len(ann.turn().news) == 2, DEADLINE_S, "the news")
    assert ann.news == [[b"run_1", b"news"], [b"run_2", b"news"]]
    ann.subscription.unsubscribe(b"run_1")
    ann.subscription.subscribe(b"last")
    until(lambda: b"last" in server.turn().topics, DEADLINE_S, "the last subscription")
    for topic in (b"run_1", b"last"):
        server.feed.publish(topic, b"more")
    until(lambda: len(ann.turn().news) == 3, DEADLINE_S, "the last news")
    assert ann.news[2] == [b"last", b"more"]


def await_news(client: Client, frames: list[bytes]) -> None:
    """Return once this is the newest that the client heard."""
    until(lambda: client.turn().news[-1:] == [frames], DEADLINE_S, f"{frames[:2]}")


def test_to_publish_to_nobody_costs_nothing(server: Server) -> None:
    before = rss_bytes()
    for _ in range(10_000):
        server.feed.publish(b"run_1", b"x" * KIB)
    assert rss_bytes() - before < 1_000 * KIB


def test_a_slow_subscriber_misses_news_and_neither_blocks_nor_grows_the_feed(
    server: Server, connect: Connect
) -> None:
    slow, quick, heard = connect(ANN), connect(BOB), 0
    for client in (slow, quick):
        client.subscription.subscribe(b"run_1")
    until(lambda: len(server.turn().topics) == 2, DEADLINE_S, "both subscriptions")
    before = rss_bytes()
    for number in range(100, 40_001):
        server.feed.publish(b"run_1", b"%d" % number, b"x" * KIB)
        if number % 100 == 0:
            await_news(quick, [b"run_1", b"%d" % number, b"x" * KIB])
            heard += len(quick.news)
            quick.news.clear()
    assert heard == 39_901  # who reads misses nothing
    assert rss_bytes() - before < 4 * QUEUED_MESSAGES * 2 * KIB
    assert len(slow.turn().news) < 4 * QUEUED_MESSAGES


def test_a_slow_subscriber_hears_again_once_he_reads(server: Server, connect: Connect) -> None:
    slow = connect(ANN)
    slow.subscription.subscribe(b"run_1")
    until(lambda: server.turn().topics, DEADLINE_S, "the subscription")
    for number in range(10 * QUEUED_MESSAGES):
        server.feed.publish(b"run_1", b"%d" % number)

    def publish_and_read() -> bool:
        server.feed.publish(b"run_1", b"the newest")
        return [b"run_1", b"the newest"] in slow.turn().news

    until(publish_and_read, DEADLINE_S, "the newest of the news")
