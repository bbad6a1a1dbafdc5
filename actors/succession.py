"""Starting a server's code anew while it serves: first rehearsed in a process that is thrown away, then for good.

Root executes itself anew (execve(2)): it stays the same process, with the port, the lock, its children and their
lines to it. So nobody below notices, and nothing has to be handed to anybody.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NoReturn

SAID_BYTES = 4096  # of what a rehearsal said last
#: They would end a process that has no handlers yet, or get lost.
HELD_BACK = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGUSR2, signal.SIGCHLD})


#: How to start the code anew: words, environment, and the descriptors that the words name.
Command = tuple[list[str], dict[str, str], list[int]]
#: For the descriptor of an estate, and whether it is only rehearsed.
Again = Callable[[int, bool], Command]


class Rehearsal:
    """The new code in a process of its own, that reads settings and estate, loads everything, and ends.

    `pid`: the caller waits for it.
    """

    def __init__(self, command: Command) -> None:
        """Raises OSError."""
        self._said = os.memfd_create("rehearsal", os.MFD_CLOEXEC)
        to_said = [(os.POSIX_SPAWN_DUP2, self._said, out) for out in (1, 2)]
        words, environment, inherited = command
        try:
            with _inheritable(inherited):
                self.pid = os.posix_spawn(
                    sys.executable, words, environment, file_actions=to_said, setsigmask=()
                )
        finally:
            _close(inherited)

    def kill(self) -> None:
        """End it now."""
        os.kill(self.pid, signal.SIGKILL)

    def end(self) -> str:
        """Once it has been waited for: its last words. To be called once."""
        said = os.pread(self._said, SAID_BYTES, max(0, os.fstat(self._said).st_size - SAID_BYTES))
        os.close(self._said)
        return said.decode(errors="replace").strip().removeprefix("runward: ")


def become(command: Command, kept: Iterable[int]) -> NoReturn:
    """Execute the new code in this process. Raises OSError, and then nothing has changed."""
    words, environment, inherited = command
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, HELD_BACK)
    try:
        with _inheritable([*inherited, *kept]):
            os.execve(sys.executable, words, environment)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        _close(inherited)


def go_on(kept: Iterable[int]) -> None:
    """In the new code, once it has its handlers: hand nothing down, and hear the signals that came meanwhile."""
    for descriptor in kept:
        os.set_inheritable(descriptor, False)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD_BACK)


@contextlib.contextmanager
def _inheritable(descriptors: Sequence[int]) -> Iterator[None]:
    for descriptor in descriptors:
        os.set_inheritable(descriptor, True)
    try:
        yield
    finally:
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)


def _close(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
