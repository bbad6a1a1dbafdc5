"""Agents in Python that can't hear: the interpreter is held."""

from itertools import repeat

from runward.actors.run import Run

LONG = 1_500_000_000  # some ten seconds


def hold(text: str, run: Run) -> int:
    """In C, with the GIL, for long: no signal handler of Python's and no other thread runs."""
    run.emit("message.delta", delta="ready")
    return sum(repeat(1, LONG if text == "gil" else 1))
