"""Agents that take all that they can get, for a while: memory, stdout, events."""

import os
import time

from runward.actors.run import Run

LIFE_S = 30.0
HELD_BYTES = 192 << 20
_STEP = 4096


def crowd(text: str, run: Run) -> None:
    """In the way that the input names, once it has said that it is ready."""
    end = time.monotonic() + LIFE_S
    {"memory": _memory, "stdout": _stdout, "events": _events}[text](run, end)


def _memory(run: Run, end: float) -> None:
    """Each page of much memory, touched over and over."""
    held = bytearray(HELD_BYTES)
    run.emit("message.delta", delta="ready")
    while time.monotonic() < end:
        for page in range(0, HELD_BYTES, _STEP):
            held[page] = (held[page] + 1) & 0xFF


def _stdout(run: Run, end: float) -> None:
    run.emit("message.delta", delta="ready")
    while time.monotonic() < end:
        os.write(1, b"x" * 65_536)


def _events(run: Run, end: float) -> None:
    while time.monotonic() < end:
        run.emit("message.delta", delta="x" * 100)
