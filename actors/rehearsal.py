"""What every run does between its fork and its end, done some times in the zygote before there is a run.

CPython writes where it works: counts of references, adaptive code, caches of attributes, symbols bound at their first
call. In a process that was just forked each page that is written to is copied first, 4 µs each, and that is most of
what a short run costs. What has been through here is written already: a quarter of the copies less (measured).
"""

import itertools
import os
import socket
from collections.abc import Iterator

from ..config.sections import EventsSettings
from . import birth, stopping, wire
from .actor import Actor
from .agent_link import AgentLink
from .asking import call_of
from .channel import Channel, claim_line
from .climbing import Climb
from .containment.reaping import host_pid, reap_dead
from .ending import ending_of_return, fitted
from .exit_record import Ending
from .intake import Intake
from .interruption import Interruption
from .mailbox import KeyPair, Post
from .messages.from_run import Events, Exited, Hello
from .messages.to_run import EventsAcked, ExitAcked, Go
from .messages.with_agent import Start
from .people import People
from .records import ProcessIdentity, RunInput
from .run import Run
from .stdio import Stdio

_TIMES = 10  # CPython 3.11 adapts a function's code at its eighth call
_LONGEST = 65_536
_GIVEN = RunInput(input="rehearsal")


def rehearse(path: str, events: EventsSettings) -> None:
    """Do it all. Called by the zygote while it has no child; leaves no thread, descriptor or message behind.

    `path` must lead to no mailbox. Blocks 20-40 ms.
    """
    for _ in range(_TIMES):
        _open_mailbox(path)
        _keep(events)
        _live()


def _open_mailbox(path: str) -> None:
    """What a warden does first. Closing it joins ZeroMQ's threads, so that the zygote has one again."""
    keys = KeyPair.generate()
    post = Post(_LONGEST)
    mailbox = post.outbox(path, keys, keys.public)
    me = host_pid()
    identity = ProcessIdentity(me, birth.start_ticks(me), "")
    mailbox.send(wire.encode(Hello("run_", 1, identity, identity)))
    for _ in mailbox.drain():
        raise AssertionError("somebody answered")
    mailbox.close()
    post.close()


def _keep(events: EventsSettings) -> None:
    """A warden's turns, from the start of an agent to the last word."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    (up, spoken), *stdio_pipes = [os.pipe2(os.O_NONBLOCK) for _ in range(3)]
    actor = Actor()
    ending = Ending("pidns", lambda: None, 0)
    climb = Climb(actor, -1, ending, lambda: None, lambda _: None)
    link = AgentLink(actor, ours, up, lambda: None, events.max_batch_bytes)
    stdio = Stdio(actor, [reads for reads, _ in stdio_pipes], (), events, lambda _: None)
    for message in (Go(_GIVEN), EventsAcked(1), ExitAcked()):
        wire.to_run.decode(wire.encode(message))
    link.listen(True)
    link.tell(Start(_GIVEN))
    theirs.recv(_LONGEST)
    os.write(
        spoken,
        b'{"event":"message.delta","delta":"x"}\n{"claim":"completed","output":"x","kind":"function"}\n',
    )
    actor.after(0, lambda: None)
    actor.turn()
    taken = Intake(_LONGEST).feed(link.read(), 0.0)
    wire.encode(Events("run_", 1, 1, taken.count, taken.blob))
    reap_dead(lambda _pid, _status: None)
    climb.climb(stopping.Claimed(1.0))
    ending.claim = taken.claim
    wire.encode(Exited("run_", 1, ending.record(taken.count, False, stdio.errors.text(), 0.0, 0.0)))
    stdio.finish()
    link.close()
    actor.close()
    theirs.close()
    for descriptor in (spoken, *itertools.chain(*stdio_pipes)):
        os.close(descriptor)


def _live() -> None:
    """An agent's life, from its start to its claim, on a channel that ends here."""
    near, far = socket.socketpair()
    heard, up = os.pipe()
    with far:
        channel = Channel(near.detach(), up)
        interruption = Interruption()
        people = People(channel, interruption)
        for agent in (_function, _generator):
            run = Run("run_", _GIVEN, channel, interruption, people)
            call = call_of(agent, _GIVEN, run, channel, {})
            call.perform(interruption)
            ending = fitted(ending_of_return(call, interruption.wished), _LONGEST)
            assert ending.claim is not None
            channel.write(claim_line(ending.claim))
        channel.close()
    os.close(heard)


def _function(text: str) -> str:
    return text


def _generator(text: str) -> Iterator[str]:
    yield text
