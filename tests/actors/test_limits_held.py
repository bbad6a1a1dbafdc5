"""A warden's hold on limits, by a clock that the test moves."""

import os
import signal
from collections.abc import Callable

import pytest

from runward.actors import limiting
from runward.actors.actor import Actor, Callback, Timer
from runward.actors.limiting import Limiter


class Moved(Actor):
    """An actor whose time passes when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0
        self.clock = lambda: self.now
        self.looks = 0
        self._waiting: list[Timer] = []

    def after(self, delay_s: float, callback: Callback) -> Timer:
        self.looks += 1
        self._waiting.append(Timer(self.now + delay_s, callback))
        return self._waiting[-1]

    def pass_s(self, seconds: float) -> None:
        end = self.now + seconds
        while due := sorted((each for each in self._waiting if each.due <= end), key=lambda each: each.due):
            self._waiting.remove(due[0])
            self.now = due[0].due
            assert due[0].callback is not None
            due[0].callback()
        self.now = end


@pytest.fixture
def actor() -> Moved:
    return Moved()


@pytest.fixture
def broken() -> list[str]:
    return []


@pytest.fixture
def hold(actor: Moved, broken: list[str]) -> Callable[..., Limiter]:
    return lambda **given: Limiter(actor, given, broken.append)


def test_the_wall_limit_is_broken_at_its_time_whatever_the_agent_does(
    actor: Moved, broken: list[str], hold: Callable[..., Limiter]
) -> None:
    limiter = hold(wall_s=10.0)
    actor.pass_s(9.99)
    limiter.active()
    assert broken == []
    actor.pass_s(0.02)
    assert broken == ["wall_s"]


def test_the_idle_limit_is_broken_that_long_after_the_last_event(
    actor: Moved, broken: list[str], hold: Callable[..., Limiter]
) -> None:
    limiter = hold(idle_s=2.0)
    for _ in range(10):
        actor.pass_s(1.9)
        limiter.active()
    assert broken == []
    actor.pass_s(1.99)
    assert broken == []
    actor.pass_s(0.02)
    assert broken == ["idle_s"]


def test_an_agent_that_is_not_listened_to_is_not_idle(
    actor: Moved, broken: list[str], hold: Callable[..., Limiter]
) -> None:
    limiter = hold(idle_s=2.0)
    limiter.held_up(True)
    actor.pass_s(100.0)
    assert broken == []
    limiter.held_up(False)
    actor.pass_s(1.9)
    assert broken == []
    actor.pass_s(0.2)
    assert broken == ["idle_s"]


def test_an_idle_limit_costs_a_look_in_its_time_however_many_events_come(
    actor: Moved, hold: Callable[..., Limiter]
) -> None:
    limiter = hold(idle_s=2.0)
    for _ in range(1000):
        actor.pass_s(0.01)
        limiter.active()
    assert actor.looks < 10


def test_the_output_limit_may_be_reached_but_not_passed(
    broken: list[str], hold: Callable[..., Limiter]
) -> None:
    limiter = hold(output_bytes=100)
    limiter.wrote(60)
    limiter.wrote(40)
    assert broken == []
    limiter.wrote(1)
    limiter.wrote(1)
    assert broken == ["output_bytes"]


def test_cpu_time_is_looked_at_more_often_the_less_is_left(
    actor: Moved,
    broken: list[str],
    hold: Callable[..., Limiter],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    began = actor.now
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(limiting, "cpu_used_s", lambda *_: actor.now - began)  # one of the two CPUs burns
    hold(cpu_s=64.0)
    actor.pass_s(63.9)
    assert broken == []
    assert actor.looks < 12
    actor.pass_s(0.2)
    assert broken == ["cpu_s"]


def test_an_idle_run_is_looked_at_seldom(
    actor: Moved, hold: Callable[..., Limiter], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(limiting, "cpu_used_s", lambda *_: 0.0)
    hold(cpu_s=10.0)
    actor.pass_s(60.0)
    assert actor.looks <= 13


def test_only_the_first_broken_limit_is_told_and_none_after_the_end(
    actor: Moved, broken: list[str], hold: Callable[..., Limiter]
) -> None:
    hold(wall_s=5.0, idle_s=3.0)
    actor.pass_s(20.0)
    assert broken == ["idle_s"]
    ended = hold(wall_s=5.0, output_bytes=1)
    ended.end()
    ended.wrote(2)
    actor.pass_s(20.0)
    assert broken == ["idle_s"]


def test_the_cpu_time_below_a_process_is_that_of_its_children_and_not_its_own() -> None:
    from runward.actors.birth import start_ticks

    before = limiting.cpu_used_s(os.getpid(), start_ticks(os.getpid()))
    if os.fork() == 0:
        while sum(os.times()[:2]) < 0.1:
            sum(range(10_000))
        os._exit(0)
    os.wait()
    assert limiting.cpu_used_s(os.getpid(), start_ticks(os.getpid())) - before == pytest.approx(0.1, abs=0.07)


def test_so_many_events_so_many_bytes_of_output_and_of_them_of_stdout(
    broken: list[str], hold: Callable[..., Limiter]
) -> None:
    limiter = hold(output_events=3.0)
    limiter.emitted(3, 100)
    assert broken == []
    limiter.emitted(1, 1)
    assert broken == ["output_events"]
    limiter = hold(stdout_bytes=10.0)
    limiter.emitted(5, 1000)
    limiter.wrote(10)
    assert broken == ["output_events"]
    limiter.wrote(1)
    assert broken == ["output_events", "stdout_bytes"]


def test_memory_is_looked_at_the_more_often_the_less_is_left(
    actor: Moved, broken: list[str], hold: Callable[..., Limiter], monkeypatch: pytest.MonkeyPatch
) -> None:
    used = [0]
    monkeypatch.setattr(limiting, "memory_used_bytes", lambda *_: used[-1])
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    hold(memory_bytes=40e9)
    actor.pass_s(9.9)
    assert actor.looks == 1
    used.append(39_900_000_000)
    actor.pass_s(1.0)
    assert actor.looks > 30
    assert broken == []
    used.append(40_000_000_001)
    actor.pass_s(0.1)
    assert broken == ["memory_bytes"]


def test_the_memory_of_children_counts_but_not_the_wardens_own() -> None:
    own = bytearray(1 << 25)
    before = limiting.memory_used_bytes(os.getpid(), 1e12)
    reads, writes = os.pipe()
    pid = os.fork()
    if pid == 0:
        taken = b"x" * (1 << 26)
        os.write(writes, taken[:1])
        signal.alarm(20)
        signal.pause()
    os.read(reads, 1)
    with_child = limiting.memory_used_bytes(os.getpid(), 1e12)
    shared = limiting.memory_used_bytes(
        os.getpid(), 0.0
    )  # above what matters: what is shared counts in parts
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    os.close(reads)
    os.close(writes)
    assert len(own) == 1 << 25
    assert with_child - before > 1 << 26
    assert 1 << 26 < shared < with_child
