import os
import socket
from collections.abc import Iterator

import pytest

from runward.actors.channel import Channel
from runward.actors.interruption import Interruption
from runward.actors.records import RunInput, Usage
from runward.actors.run import Interrupted, Run

from .harness import let_go


@pytest.fixture
def ends() -> Iterator[tuple[Channel, socket.socket]]:
    theirs, ours = socket.socketpair()
    channel = Channel(os.dup(theirs.fileno()), theirs.detach())
    yield channel, ours
    ours.close()
    let_go(channel)


@pytest.fixture
def wire(ends: tuple[Channel, socket.socket]) -> socket.socket:
    """The warden's end of the run below."""
    return ends[1]


@pytest.fixture
def interruption() -> Interruption:
    return Interruption()


@pytest.fixture
def run(ends: tuple[Channel, socket.socket], interruption: Interruption) -> Run:
    return Run("run_1", RunInput(input="hello"), ends[0], interruption)


@pytest.mark.parametrize("event", ["tool.started", "message.delta", "a1.b_2.c3", "runner.up", "runx.y"])
def test_any_dotted_name_may_be_emitted(event: str, run: Run, wire: socket.socket) -> None:
    run.emit(event, n=1)
    assert wire.recv(1000) == b'{"event":"%s","n":1}\n' % event.encode()


@pytest.mark.parametrize(
    "event",
    ["", "tool", "Tool.started", "tool.", ".tool", "tool..x", "1.x", "a b.c", "tool.started\n", "x.é"],
)
def test_a_name_that_is_not_dotted_is_refused(event: str, run: Run) -> None:
    with pytest.raises(ValueError, match="dotted"):
        run.emit(event)


@pytest.mark.parametrize("event", ["run.completed", "stream.gap", "approval.request"])
def test_the_runtimes_own_names_are_refused(event: str, run: Run) -> None:
    with pytest.raises(ValueError, match="belong to the runtime"):
        run.emit(event)


@pytest.mark.parametrize("field", ["event", "run_id", "seq", "timestamp"])
def test_the_runtimes_own_fields_are_refused(field: str, run: Run) -> None:
    with pytest.raises(ValueError, match=f"the runtime sets {field}"):
        run.emit("tool.started", **{field: 1})


def test_check_raises_once_the_run_was_asked_to_end(run: Run, interruption: Interruption) -> None:
    run.check()
    interruption.deliver("stop")
    assert run.interrupted.is_set()
    with pytest.raises(Interrupted):
        run.check()


def test_except_exception_does_not_swallow_an_interrupt() -> None:
    assert not issubclass(Interrupted, Exception)
    assert issubclass(Interrupted, KeyboardInterrupt)


def test_the_last_word_on_usage_counts_and_the_total_is_worked_out(run: Run) -> None:
    run.usage(input_tokens=3)
    run.usage(input_tokens=10, output_tokens=5)
    assert run.used == Usage(10, 5, 15)
    run.usage(total_tokens=7)
    assert run.used == Usage(0, 0, 7)


def test_an_interrupt_reaches_one_listener_once_even_if_it_came_first(interruption: Interruption) -> None:
    heard: list[str] = []
    interruption.deliver("early")
    with interruption.heard_by(heard.append):
        assert heard == ["early"]
    with interruption.heard_by(heard.append):
        assert heard == ["early"]
