"""The actor's loop: descriptors, mailboxes and signals, one thing at a time."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from runward.actors.news import News

from .loops import Clock, Recorder

pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.fixture
def actor() -> Iterator[Recorder]:
    made = Recorder(time.monotonic)
    yield made
    made.close()


@pytest.fixture
def pipes() -> Iterator[list[tuple[int, int]]]:
    """Three pipes that hold a byte each: their read ends are ready."""
    made = [os.pipe() for _ in range(3)]
    for _, writes in made:
        os.write(writes, b"x")
    yield made
    for end in {end for pipe in made for end in pipe}:
        try:
            os.close(end)
        except OSError:
            pass  # the test did


@pytest.fixture
def _signals_as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGUSR1, signal.SIGUSR2)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_descriptor_calls_back_for_as_long_as_it_is_readable(
    actor: Recorder, pipes: list[tuple[int, int]]
) -> None:
    (reads, _), *_ = pipes
    actor.watch(reads, actor.note("readable"))
    actor.turn_at_once()
    actor.turn_at_once()
    assert actor.log == ["readable", "readable"]
    os.read(reads, 1)
    assert actor.turn_at_once().log == ["readable", "readable"]


def test_a_descriptor_calls_back_when_its_other_end_is_gone(
    actor: Recorder, pipes: list[tuple[int, int]]
) -> None:
    (reads, writes), *_ = pipes
    os.read(reads, 1)
    actor.watch(reads, actor.note("hung up"))
    assert actor.turn_at_once().log == []
    os.close(writes)
    assert actor.turn_at_once().log == ["hung up"]


def test_what_is_not_watched_any_more_does_not_call_back(
    actor: Recorder, pipes: list[tuple[int, int]]
) -> None:
    (reads, _), *_ = pipes
    actor.watch(reads, actor.note("readable"))
    actor.unwatch(reads)
    actor.unwatch(reads)
    assert actor.turn_at_once().log == []
    actor.watch(reads, actor.note("watched again"))
    assert actor.turn_at_once().log == ["watched again"]


def test_of_several_that_are_ready_the_first_may_unwatch_and_close_the_others(
    actor: Recorder, pipes: list[tuple[int, int]]
) -> None:
    ends = [reads for reads, _ in pipes]

    def unwatch_all(me: int) -> None:
        actor.log.append("called")
        for end in ends:
            actor.unwatch(end)
            if end != me:
                os.close(end)

    for end in ends:
        actor.watch(end, lambda me=end: unwatch_all(me))  # type: ignore[misc]
    assert actor.turn_at_once().log == ["called"]


def test_what_is_watched_in_a_turn_is_not_called_for_what_had_its_number_before(
    actor: Recorder, pipes: list[tuple[int, int]]
) -> None:
    ends = [reads for reads, _ in pipes]
    fresh: list[int] = []

    def replace_the_others(me: int) -> None:
        for end in ends:
            actor.unwatch(end)
        for end in ends:
            if end != me:
                os.close(end)
                fresh.extend(os.pipe())
                assert fresh[-2] == end, "the lowest free number is taken"
                actor.watch(end, actor.note("called for another"))

    for end in ends:
        actor.watch(end, lambda me=end: replace_the_others(me))  # type: ignore[misc]
    actor.turn_at_once()
    for end in fresh:
        os.close(end)
    assert actor.log == []


def test_a_callback_may_unwatch_and_close_itself(actor: Recorder, pipes: list[tuple[int, int]]) -> None:
    (reads, _), *_ = pipes

    def leave() -> None:
        actor.unwatch(reads)
        os.close(reads)
        actor.log.append("left")

    actor.watch(reads, leave)
    actor.turn_at_once()
    assert actor.turn_at_once().log == ["left"]


# ── pumps ───────────────────────────────────────────────────────────────────────────────────────


def test_a_pump_is_drained_at_first_and_after_its_socket_was_used_whether_or_not_its_descriptor_woke(
    actor: Recorder, pipes: list[tuple[int, int]]
) -> None:
    (reads, _), *_ = pipes
    os.read(reads, 1)
    news = News(reads)
    actor.pump(news, lambda: actor.log.append("drained") or False)  # type: ignore[func-returns-value]
    actor.turn_at_once()
    assert actor.turn_at_once().log == ["drained"]
    news.may_be = True
    assert actor.turn_at_once().log == ["drained", "drained"]


def test_what_is_used_while_it_is_drained_is_drained_again(
    actor: Recorder, pipes: list[tuple[int, int]]
) -> None:
    (reads, _), *_ = pipes
    os.read(reads, 1)
    news = News(reads)

    def drain() -> bool:
        actor.log.append("drained")
        news.may_be = len(actor.log) == 1
        return False

    actor.pump(news, drain)
    actor.after(3_600.0, actor.note("an hour later"))
    actor.turn()
    actor.turn_at_once()
    assert actor.turn_at_once().log == ["drained", "drained"]


def test_while_a_pump_works_no_turn_waits(actor: Recorder, pipes: list[tuple[int, int]]) -> None:
    (reads, _), *_ = pipes
    os.read(reads, 1)
    left = [True, True, False]

    def drain() -> bool:
        actor.log.append("drained")
        return left.pop(0)

    actor.pump(News(reads), drain)
    actor.after(3_600.0, actor.note("an hour later"))
    actor.turn()
    actor.turn()
    assert actor.log == ["drained", "drained"]


def test_a_pumps_descriptor_wakes_the_loop_once_for_each_arrival(
    actor: Recorder, pipes: list[tuple[int, int]]
) -> None:
    """It is edge-triggered: it is the drain that must be thorough, and nobody spins."""
    (reads, writes), *_ = pipes
    actor.pump(News(reads), lambda: False)
    actor.turn()  # woken by the byte that is there
    actor.after(0.01, actor.note("nothing woke it"))
    actor.turn()
    assert actor.log == ["nothing woke it"]
    os.write(writes, b"y")
    actor.after(3_600.0, lambda: None)
    actor.turn()


# ── the end of a turn ───────────────────────────────────────────────────────────────────────────


class Committing(Recorder):
    """It writes down when its turn ended."""

    def turn_ended(self) -> None:
        self.log.append("ended")


def test_a_turn_ends_after_all_that_was_called_in_it(pipes: list[tuple[int, int]]) -> None:
    (reads, _), *_ = pipes
    actor = Committing(Clock())
    actor.watch(reads, actor.note("readable"))
    actor.after(0, actor.note("timer"))
    actor.turn()
    assert actor.log == ["readable", "timer", "ended"]
    actor.close()


def test_what_pumps_brought_is_ended_before_anything_is_waited_for(pipes: list[tuple[int, int]]) -> None:
    (reads, _), *_ = pipes
    os.read(reads, 1)
    actor = Committing(Clock())
    actor.pump(News(reads), lambda: actor.log.append("drained") or len(actor.log) == 1)  # type: ignore[func-returns-value]
    actor.turn()
    assert actor.log == ["drained", "ended", "ended"]
    actor.close()


def test_it_runs_until_it_is_stopped_and_finishes_that_turn() -> None:
    actor = Committing(Clock())
    actor.after(0, actor.stop)
    actor.after(0, actor.note("still in the same turn"))
    actor.run()
    assert actor.log == ["still in the same turn", "ended"]
    actor.close()


def test_what_a_callback_raises_ends_the_loop_with_it(actor: Recorder) -> None:
    def fail() -> None:
        raise RuntimeError("a bug")

    actor.after(0, fail)
    with pytest.raises(RuntimeError, match="a bug"):
        actor.run()


# ── signals ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("_signals_as_before")
def test_a_signal_arrives_in_a_turn_and_not_in_the_middle_of_one(actor: Recorder) -> None:
    actor.on_signal(signal.SIGUSR1, actor.note("signal"))

    def in_the_middle() -> None:
        os.kill(os.getpid(), signal.SIGUSR1)
        actor.log.append("still the same callback")

    actor.after(0, in_the_middle)
    actor.turn()
    actor.turn()
    assert actor.log == ["still the same callback", "signal"]


@pytest.mark.usefixtures("_signals_as_before")
def test_a_signal_wakes_a_loop_that_waits(actor: Recorder) -> None:
    actor.on_signal(signal.SIGUSR1, actor.note("signal"))
    actor.after(3_600.0, lambda: None)
    pid = os.fork()
    if pid == 0:
        os.kill(os.getppid(), signal.SIGUSR1)
        os._exit(0)
    actor.turn()
    os.waitpid(pid, 0)
    assert actor.log == ["signal"]


@pytest.mark.usefixtures("_signals_as_before")
def test_signals_of_two_kinds_each_have_their_call_and_of_one_kind_one_is_enough(actor: Recorder) -> None:
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        actor.on_signal(number, actor.note(number))
    for number in (signal.SIGUSR1, signal.SIGUSR1, signal.SIGUSR2, signal.SIGUSR1):
        os.kill(os.getpid(), number)
    actor.turn_at_once()
    assert set(actor.log) == {signal.SIGUSR1, signal.SIGUSR2}
    assert len(actor.log) == 2


@pytest.mark.usefixtures("_signals_as_before")
def test_ten_thousand_signals_at_once_are_no_trouble(actor: Recorder) -> None:
    actor.on_signal(signal.SIGUSR1, actor.note("signal"))
    for _ in range(10_000):
        os.kill(os.getpid(), signal.SIGUSR1)
    for _ in range(5):
        actor.turn_at_once()
    assert 1 <= len(actor.log) <= 5


@pytest.mark.usefixtures("_signals_as_before")
def test_close_gives_back_every_descriptor_and_the_wake_up() -> None:
    before = len(os.listdir("/proc/self/fd"))
    actor = Recorder(time.monotonic)
    actor.on_signal(signal.SIGUSR1, lambda: None)
    assert len(os.listdir("/proc/self/fd")) == before + 3
    actor.close()
    assert len(os.listdir("/proc/self/fd")) == before
    assert signal.set_wakeup_fd(-1) == -1
