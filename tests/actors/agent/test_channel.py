import contextlib
import os
import signal
import socket
import threading
from collections.abc import Iterator
from types import FrameType

import pytest

from runward.actors.channel import Channel, delta_line, event_line, to_json
from runward.actors.messages.with_agent import EventRefused, Interrupt

from .harness import let_go


@pytest.fixture
def ends() -> Iterator[tuple[Channel, socket.socket]]:
    """A channel and the warden's end, with a kernel buffer as small as it gets."""
    theirs, ours = socket.socketpair()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    channel = Channel(os.dup(theirs.fileno()), theirs.detach())
    yield channel, ours
    ours.close()
    let_go(channel)


def read_lines(ours: socket.socket, count: int) -> list[bytes]:
    ours.settimeout(20)
    with ours.makefile("rb") as reader:
        return [reader.readline() for _ in range(count)]


def test_a_line_longer_than_the_kernel_takes_at_once_arrives_whole(
    ends: tuple[Channel, socket.socket],
) -> None:
    channel, ours = ends
    line = delta_line("x" * 3_000_000)
    writer = threading.Thread(target=channel.write, args=(line,))
    writer.start()
    assert read_lines(ours, 1) == [line]
    writer.join()


def test_lines_of_many_threads_are_never_mixed(ends: tuple[Channel, socket.socket]) -> None:
    channel, ours = ends
    lines = {
        thread: [event_line("a.b", {"t": thread, "n": n, "x": "x" * (n % 700)}) for n in range(500)]
        for thread in range(4)
    }

    def write_all(mine: list[bytes]) -> None:
        for line in mine:
            channel.write(line)

    writers = [threading.Thread(target=write_all, args=(mine,)) for mine in lines.values()]
    for writer in writers:
        writer.start()
    heard = read_lines(ours, 2000)
    for writer in writers:
        writer.join()
    for thread, mine in lines.items():
        assert [line for line in heard if b'"t":%d,' % thread in line] == mine


class Alarm(Exception):
    """What an agent's own signal handler raises."""


def test_a_write_broken_off_by_a_signal_is_finished_by_the_next_one(
    ends: tuple[Channel, socket.socket],
) -> None:
    """The first blocks, since nobody reads; a handler raises out of it; nothing is torn, lost or sent twice."""
    channel, ours = ends

    def ring(_: int, __: FrameType | None) -> None:
        if not channel.defer(fail):
            fail()

    def fail() -> None:
        raise Alarm

    first, second = delta_line("1" * 1_000_000), delta_line("2")
    before = signal.signal(signal.SIGUSR1, ring)
    ringer = threading.Thread(target=_ring_when_full, args=(ours, len(first)))
    ringer.start()
    try:
        with pytest.raises(Alarm):
            channel.write(first)
    finally:
        ringer.join()
        signal.signal(signal.SIGUSR1, before)
    writer = threading.Thread(target=channel.write, args=(second,))
    writer.start()
    assert read_lines(ours, 2) == [first, second]
    writer.join()


def _ring_when_full(ours: socket.socket, size: int) -> None:
    """Signal the main thread once something, but not all, has come."""
    assert 0 < len(ours.recv(1, socket.MSG_PEEK)) < size
    os.kill(os.getpid(), signal.SIGUSR1)


def test_a_signal_handler_may_emit_while_its_thread_is_emitting(
    ends: tuple[Channel, socket.socket],
) -> None:
    channel, ours = ends
    inner = [event_line("from.handler", {"n": n}) for n in range(200)]
    waiting = iter(inner)

    def emit(_: int, __: FrameType | None) -> None:
        channel.write(next(waiting))

    before = signal.signal(signal.SIGUSR1, emit)
    heard: list[bytes] = []
    reader = threading.Thread(target=lambda: heard.extend(read_lines(ours, 400)))
    reader.start()
    outer = [event_line("from.main", {"n": n, "filling": "x" * 1000}) for n in range(200)]
    try:
        for line in outer:
            signal.raise_signal(signal.SIGUSR1)
            channel.write(line)
    finally:
        signal.signal(signal.SIGUSR1, before)
    reader.join()
    assert [line for line in heard if b"handler" in line] == inner
    assert [line for line in heard if b"main" in line] == outer


def test_a_raising_handler_is_deferred_only_inside_a_push(ends: tuple[Channel, socket.socket]) -> None:
    channel, _ = ends
    assert channel.defer(lambda: None) is False


class SilentBell:
    """A bell that never rings: the read end of a pipe into which nobody writes."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()

    def fileno(self) -> int:
        return self._read

    def insist(self) -> None:
        raise AssertionError

    def close(self) -> None:
        os.close(self._read)
        os.close(self._write)


def test_controls_are_read_in_order_and_what_is_unknown_is_passed_over(
    ends: tuple[Channel, socket.socket],
) -> None:
    channel, ours = ends
    ours.sendall(
        b'{"control":"interrupt","message":"one"}\n'
        b'{"control":"from.the.future","x":1}\n'
        b"not json\n\n\xff\n"
        b'{"control":"interrupt"}\n'
        b'{"control":"refused","event":"run.x","why":"ours","more":1}\n'
    )
    ours.close()
    with contextlib.closing(SilentBell()) as bell:
        assert list(channel.controls(bell)) == [Interrupt("one"), EventRefused("run.x", "ours")]


@pytest.mark.parametrize(
    ("value", "json"),
    [
        ("a\nb", rb'"a\nb"'),
        ("\ud83d", b'"?"'),
        ({"\udc00": ["\ud83d", ("x", 1)]}, b'{"?":["?",["x",1]]}'),
        ({"n": float("nan")}, b'{"n":null}'),
    ],
)
def test_json_is_one_line_of_utf8(value: object, json: bytes) -> None:
    assert to_json(value) == json


def test_a_field_that_is_no_json_is_named() -> None:
    loop: list[object] = []
    loop.append(loop)
    for bad in (object(), loop, {1j: 1}, 1j):
        with pytest.raises(TypeError, match=r"field 'preview' of event 'tool.started' can't be JSON"):
            event_line("tool.started", {"tool": "fine", "preview": bad})
