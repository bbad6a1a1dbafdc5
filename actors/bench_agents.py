"""Agents that `runward bench` runs. All are bounded: in time, and the fork bomb in processes too.

What is imported here is imported in every run that is measured, so it is what a zygote has loaded anyway.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from . import birth
from .run import Run

DELTA = "x" * 20
READY = "ready"
CHILDREN = 3  # of one process of the bomb, before it ends


def bench(text: str, run: Run) -> Any:
    """Do what the first word of the input says, with the other words."""
    what, *words = text.split()
    return _WORK[what](run, *words)


def _flood(_: Run, count: str) -> Iterator[str]:
    """Emit so many deltas of 20 bytes, as fast as they are taken."""
    delta = DELTA
    for _number in range(int(count)):
        yield delta


def _rate(_: Run, per_s: str, seconds: str) -> Iterator[str]:
    """Emit so many deltas a second; each is the time when it was made, in 20 bytes."""
    began, pause_s = time.monotonic(), 1 / float(per_s)
    for number in range(int(float(per_s) * float(seconds))):
        wait_s = began + number * pause_s - time.monotonic()
        if wait_s > 0:
            time.sleep(wait_s)
        yield f"{time.time():.9f}"


def _burn(_: Run, seconds: str) -> None:
    """Use so many seconds of CPU, holding the interpreter's lock as any Python code does."""
    until = time.thread_time() + float(seconds)
    while time.thread_time() < until:
        sum(range(1000))


def _idle(run: Run) -> None:
    """Wait to be interrupted."""
    run.interrupted.wait()


def _bomb(run: Run, name: str, pids: str, seconds: str) -> None:
    """Fork up to `pids` processes that fork on and end, deaf to signals, all called `name` (their comm); and spin.

    Says that it is ready once a quarter of them has been forked. With 1 it only spins.
    """
    until = time.monotonic() + float(seconds)
    birth.name_thread(name)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    tokens = _Tokens(int(pids) - 1)
    for _ in range(int(pids) // 4):
        if tokens.take() and os.fork() == 0:
            _breed(tokens, until)
    run.emit("message.delta", delta=READY)
    while time.monotonic() < until:
        sum(range(1000))


class _Tokens:
    """One for each process that may be alive. A process that is killed takes its own along."""

    def __init__(self, count: int) -> None:
        self._reads, self._writes = os.pipe()
        os.set_blocking(self._reads, False)
        os.write(self._writes, b"." * count)

    def take(self) -> bool:
        """Whether there was one."""
        try:
            return bool(os.read(self._reads, 1))
        except BlockingIOError:
            return False

    def give(self) -> None:
        """Only just before the end of the process that had it."""
        os.write(self._writes, b".")


def _breed(tokens: _Tokens, until: float) -> None:
    """Fork while there are tokens; after some forks end, so that the children's parent is gone. Never returns."""
    children = 0
    while time.monotonic() < until and children < CHILDREN:
        signal.alarm(30)  # whatever else goes wrong, this ends it; a fork does not inherit it
        if not tokens.take():
            time.sleep(0.01)
        elif os.fork() == 0:
            children = 0
        else:
            children += 1
    tokens.give()
    os._exit(0)


class Talker:
    """A conversation that waits to be interrupted, and answers with the time when it was."""

    def __init__(self, stream_delta_callback: Callable[[str], None]) -> None:
        self._say = stream_delta_callback
        self._asked = threading.Event()
        self._asked_at = 0.0

    def interrupt(self, _message: str) -> None:
        """Called by the runtime."""
        self._asked_at = time.time()
        self._asked.set()

    def run_conversation(self) -> dict[str, Any]:
        """Say that it waits, and wait."""
        self._say(READY)
        self._asked.wait()
        return {"final_response": f"{self._asked_at:.6f}", "interrupted": True}


_WORK: dict[str, Callable[..., Any]] = {
    "flood": _flood,
    "rate": _rate,
    "burn": _burn,
    "idle": _idle,
    "bomb": _bomb,
}
