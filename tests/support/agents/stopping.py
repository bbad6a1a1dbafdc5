"""Agents that take a stop in different ways. Each says `ready` when it is in the middle of its work."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

from runward.actors.run import Run

LONG_S = 3600.0


def obeys(text: str, run: Run) -> str:
    """Ends when it is asked to, with what it has so far."""
    run.emit("message.delta", delta="ready")
    run.interrupted.wait()
    return "so far"


def deaf(text: str, run: Run) -> None:
    """Does not look whether it was asked; SIGTERM reaches it, and it writes down that its `finally` ran."""
    try:
        run.emit("message.delta", delta="ready")
        time.sleep(LONG_S)
    finally:
        Path(text).write_text("finally")


def stubborn(text: str, run: Run) -> None:
    """Neither looks nor lets SIGTERM through."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    run.emit("message.delta", delta="ready")
    while True:
        time.sleep(LONG_S)


def endless(text: str) -> Iterator[str]:
    """Says something for ever; a generator is closed at its next yield."""
    yield "ready"
    while True:
        time.sleep(0.01)
        yield "more"
