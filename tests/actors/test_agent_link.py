"""The warden's end of the link: what it hears when, and what it keeps for an agent that does not listen."""

import os
import socket
from collections.abc import Iterator

import msgspec
import pytest

from runward.actors.actor import Actor
from runward.actors.agent_link import APART_S, BURST_S, READ_AT_ONCE, UNREAD_REFUSALS_BYTES, AgentLink
from runward.actors.messages.with_agent import Approval, EventRefused, Interrupt, ToAgent

pytestmark = pytest.mark.usefixtures("nothing_left")


class Ends:
    """A link with both its ends, on a clock that stands still."""

    def __init__(self) -> None:
        self.now = 0.0
        self.actor = Actor(lambda: self.now)
        ours, self.agent = socket.socketpair()
        ours.setblocking(False)
        up_fd, self.spoken = os.pipe2(os.O_NONBLOCK)
        self.heard: list[bytes] = []
        self.link = AgentLink(self.actor, ours, up_fd, self._hear, 4 * READ_AT_ONCE)
        self.link.listen(True)

    def _hear(self) -> None:
        self.heard.append(self.link.read())

    def turn_while_it_speaks(self, times: int) -> int:
        """Turns with something to hear in each; how often it was heard."""
        before = len(self.heard)
        self.actor.after(0, lambda: None)  # so that no turn waits for ever
        for _ in range(times):
            os.write(self.spoken, b"x")
            timer = self.actor.after(0, lambda: None)
            self.actor.turn()
            timer.cancel()
        return len(self.heard) - before

    def close(self) -> None:
        self.link.close()
        self.actor.close()
        self.agent.close()
        os.close(self.spoken)


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends()
    yield made
    made.close()


def test_who_says_little_is_heard_at_once(ends: Ends) -> None:
    for _ in range(20):
        ends.now += APART_S
        assert ends.turn_while_it_speaks(1) == 1


def test_a_flood_is_heard_in_a_burst_and_then_at_a_pace(ends: Ends) -> None:
    ends.now = 10.0
    burst = ends.turn_while_it_speaks(100)
    assert burst == pytest.approx(BURST_S / APART_S, abs=1)
    assert ends.turn_while_it_speaks(5) == 0
    ends.now += APART_S
    ends.actor.turn()
    assert ends.turn_while_it_speaks(5) == 1
    assert b"".join(ends.heard) == b"x" * 106


def test_a_pause_does_not_outlast_credit(ends: Ends) -> None:
    ends.now = 10.0
    ends.turn_while_it_speaks(100)
    ends.link.listen(False)
    ends.now += APART_S
    ends.actor.turn()
    assert ends.turn_while_it_speaks(3) == 0
    ends.link.listen(True)
    assert ends.turn_while_it_speaks(1) == 1


def test_an_agent_that_speaks_no_more_is_closed_and_asked_no_more(ends: Ends) -> None:
    os.close(ends.spoken)
    ends.actor.turn()
    assert (ends.heard, ends.link.closed) == ([b""], True)
    ends.link.listen(True)
    ends.actor.after(0, lambda: None)
    ends.actor.turn()
    assert ends.heard == [b""]
    ends.spoken = os.dup(2)


@pytest.mark.parametrize(
    "refusal", [EventRefused("a.b", "why " * 100), Approval(choice="deny", error="why " * 100)]
)
def test_what_an_agent_does_not_read_yet_is_kept_for_it_but_not_every_refusal(
    ends: Ends, refusal: ToAgent
) -> None:
    for _ in range(10_000):
        ends.link.tell(refusal)
    ends.link.tell(Interrupt("stop"))
    ends.agent.setblocking(False)
    heard = b""
    while not heard.endswith(msgspec.json.encode(Interrupt("stop")) + b"\n"):
        heard += ends.agent.recv(1 << 20)
        ends.actor.after(0, lambda: None)
        ends.actor.turn()
    assert heard.count(b"\n") < 10_000
    assert len(heard) < UNREAD_REFUSALS_BYTES + (1 << 20)
