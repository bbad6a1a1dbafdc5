"""How an agent's Python stacks get out, also when it hangs: a signal in, text out through a pipe of its own.

`faulthandler` writes them from the signal handler, in C, so it needs neither the interpreter's lock nor a thread that
gets a turn. The signal is SIGURG: ignored by default, so it ends no program that is something else by now; nobody
sends it but a socket that was asked to; hardly any Python program handles it (Go's runtime chose it for the same
reasons, golang.org/issue/37942). What comes is the agent's word: it can close the pipe, or write into it.

The pipe's ends must not block, since the agent can't wait in its handler for a reader: what the pipe does not hold is
lost, so it is made as large as what is taken at most.
"""

import contextlib
import faulthandler
import fcntl
import os
import signal
from collections.abc import Callable
from typing import NamedTuple

from .actor import Actor, Timer
from .containment import linux

SIGNAL = signal.SIGURG
MOST_BYTES = 262_144
MOST_S = 2.0
QUIET_S = 0.05
LOOKED_AT_THREADS = 256

CLOSED = "the agent ended, became another program, or closed the descriptor that its stacks are written to"
SILENT = (
    f"the agent did not answer {SIGNAL.name} within {MOST_S:g} s: it handles, blocks or ignores that signal itself, "
    "is stopped, or runs no Python"
)


class Taken(NamedTuple):
    """What came, or why nothing did."""

    text: str = ""
    error: str | None = None


Told = Callable[[Taken], None]


def prepare() -> None:
    """In the zygote: have the tables made that `answer_by` would make in every agent anew (5 pages)."""
    answer_by(2)
    faulthandler.unregister(SIGNAL)


def answer_by(fd: int) -> None:
    """In the agent, before any code of its own: write the stacks of all threads to `fd` whenever asked."""
    faulthandler.register(SIGNAL, file=fd, all_threads=True)


class StackPipe:
    """The warden's end. One taking at a time; who asks meanwhile gets the same text."""

    def __init__(self, actor: Actor, fd: int, ask: Callable[[], None], agent_pid: Callable[[], int]) -> None:
        """`ask` sends the signal; `agent_pid` tells the agent's pid as /proc counts, when it is needed."""
        self._actor = actor
        self._fd = fd
        self._ask = ask
        self._agent_pid = agent_pid
        self._told: list[Told] = []
        self._text = b""
        self._timers: list[Timer] = []

    def take(self, told: Told) -> None:
        """Ask the agent for its stacks; `told` is called within `MOST_S`."""
        self._told.append(told)
        if len(self._told) > 1:
            return
        with contextlib.suppress(OSError):  # more than this user may have: then it holds less
            fcntl.fcntl(self._fd, fcntl.F_SETPIPE_SZ, MOST_BYTES)
        if not self._empty():
            self._tell(Taken(error=CLOSED))
            return
        self._text = b""
        self._timers = [self._actor.after(MOST_S, self._done)]
        self._actor.watch(self._fd, self._hear)
        self._ask()

    def _empty(self) -> bool:
        """Throw away what nobody asked for; False if the agent closed its end."""
        for _ in range(MOST_BYTES // 4096):
            try:
                if not os.read(self._fd, MOST_BYTES):
                    return False
            except BlockingIOError:
                return True
        return True

    def _hear(self) -> None:
        try:
            chunk = os.read(self._fd, MOST_BYTES)
        except BlockingIOError:
            return
        self._text += chunk
        if not chunk or len(self._text) >= MOST_BYTES:
            self._done(CLOSED)
        else:
            self._wait_on()

    def _wait_on(self) -> None:
        """Nothing tells the end of it but that nothing more comes."""
        for timer in self._timers[1:]:
            timer.cancel()
        self._timers[1:] = [self._actor.after(QUIET_S, self._quiet)]

    def _quiet(self) -> None:
        if _in_handler(self._agent_pid()):
            self._wait_on()
        else:
            self._done()

    def _done(self, otherwise: str = SILENT) -> None:
        """Give what there is, or why there is nothing."""
        self._actor.unwatch(self._fd)
        for timer in self._timers:
            timer.cancel()
        text = self._text[:MOST_BYTES].decode(errors="replace")
        self._tell(Taken(text) if text else Taken(error=otherwise))

    def _tell(self, taken: Taken) -> None:
        told, self._told = self._told, []
        for each in told:
            each(taken)


def _in_handler(pid: int) -> bool:
    """Whether a thread is still writing: the kernel blocks a signal in the thread that handles it (signal(7))."""
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task")[:LOOKED_AT_THREADS]:
            status = linux.read_small(f"/proc/{pid}/task/{thread}/status")
            blocked = int(status.partition(b"\nSigBlk:")[2].split(None, 1)[0], 16)
            if blocked >> (SIGNAL - 1) & 1:
                return True
    return False
