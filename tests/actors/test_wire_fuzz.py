"""A million frames that a warden, a facade or a zygote of ours would never send."""

import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from runward.actors import wire
from runward.actors.errors import BadMessage
from runward.actors.messages.commands import StartRun, StopRun
from runward.actors.messages.from_run import Claim, Events, Exited, Hello
from runward.actors.messages.to_run import Go
from runward.actors.records import ProcessIdentity, RunInput, Usage
from runward.actors.wire import Direction

from .lives import a_record

FRAMES = 1_000_000
IDENTITY = ProcessIdentity(7, 8, "boot")
GIVEN = RunInput(input="hello", history=[{"role": "user", "content": ["x", 1, None]}], metadata={"a": "b"})
SEEDS: list[tuple[Direction[Any], bytes]] = [
    (wire.from_run, wire.encode(Hello("run_1", 1, IDENTITY, IDENTITY))),
    (wire.from_run, wire.encode(Events("run_1", 1, 1, 2, b'{"event":"a.b"}\n' * 2))),
    (
        wire.from_run,
        wire.encode(
            Exited(
                "run_1", 1, a_record(claim=Claim(kind="completed", usage=Usage(1, 2, 3)), survivors=[1, 2])
            )
        ),
    ),
    (wire.to_supervisor, wire.encode(StartRun("1", "run_1", "local", "echo", GIVEN, limits={"cpu_s": 1.5}))),
    (wire.to_supervisor, wire.encode(StopRun("1", "run_1", None, "kill", 1.0, "enough"))),
    (wire.to_run, wire.encode(Go(GIVEN))),
]


def mutated(chance: random.Random, body: bytes) -> bytes:
    """The frame with one to four of its bytes changed, cut, doubled, or made of other frames' bytes."""
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(body) + 1)
        match chance.randrange(5):
            case 0:
                body = body[:at] + bytes([chance.randrange(256)]) + body[at + 1 :]
            case 1:
                body = body[:at] + body[at + chance.randrange(8) :]
            case 2:
                body = body[:at] + chance.randbytes(chance.randrange(1, 6)) + body[at:]
            case 3:
                body = body[:at] + body[max(0, at - 8) : at] + body[at:]
            case _:
                _, other = chance.choice(SEEDS)
                body = body[:at] + other[chance.randrange(len(other)) :]
    return body


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_million_broken_frames_are_messages_or_bad(
    record_testsuite_property: Callable[[str, object], None],
) -> None:
    chance = random.Random(20_240)
    found: Counter[str] = Counter()
    began = time.perf_counter()
    for _ in range(FRAMES):
        direction, body = chance.choice(SEEDS)
        try:
            direction.decode(mutated(chance, body))
            found["messages"] += 1
        except BadMessage:
            found["bad"] += 1
    took_s = time.perf_counter() - began
    record_testsuite_property("frames_per_s", round(FRAMES / took_s))
    record_testsuite_property("messages_among_them", found["messages"])
    assert found.total() == FRAMES
    assert found["bad"] > FRAMES / 2
