"""Agents that `runward bench` runs. All are bounded: in time, and a fork bomb in processes too."""

import time
from collections.abc import Callable, Iterator
from typing import Any

from .run import Run

DELTA = "x" * 20


def bench(text: str, run: Run) -> Any:
    """Do what the first word of the input says, with the others as its numbers."""
    what, *numbers = text.split()
    return _WORK[what](run, *map(float, numbers))


def flood(_: Run, count: float) -> Iterator[str]:
    """Emit so many deltas of 20 bytes, as fast as they are taken."""
    delta = DELTA
    for _number in range(int(count)):
        yield delta


def rate(_: Run, per_s: float, seconds: float) -> Iterator[str]:
    """Emit so many deltas a second; each is the time when it was made, in 20 bytes."""
    began = time.monotonic()
    for number in range(int(per_s * seconds)):
        wait_s = began + number / per_s - time.monotonic()
        if wait_s > 0:
            time.sleep(wait_s)
        yield f"{time.time():.9f}"


def burn(_: Run, seconds: float) -> None:
    """Use so many seconds of CPU, holding the interpreter's lock as any Python code does."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        sum(range(1000))


_WORK: dict[str, Callable[..., Any]] = {"flood": flood, "rate": rate, "burn": burn}
