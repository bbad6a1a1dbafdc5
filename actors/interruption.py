"""The user's wish that the run end, as the agent's process knows it, and the exception that carries it.

Three ways lead in: the warden's `Interrupt` (control thread), SIGTERM (main thread, anywhere), and
the agent's own look at it. What a signal handler does here takes no lock that the main thread may hold.
"""

import _thread
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Literal

from .channel import Channel

#: How long a SIGTERM may take to reach Python code before it is sent again.
PATIENCE_S = 0.01

Listener = Callable[[str], None]


class Interrupted(KeyboardInterrupt):
    """The run was asked to end: raised by `Run.check`, and in the main thread by SIGTERM.

    A KeyboardInterrupt, so that `except Exception` in an agent does not swallow it and every library that
    leaves its loops on Ctrl-C (asyncio, subprocess, concurrent.futures) leaves them here too.
    """


class Interruption:
    """Whether the run was asked to end, and who is to be told: each message reaches one listener, once."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.terminated = False
        self.woken: Callable[[], None] = _nobody  # called at each wish, by any thread
        self._lock = threading.Lock()
        self._listener: Listener | None = None
        self._missed: list[str] = []

    @property
    def wished(self) -> bool:
        """Whether anything has asked the run to end."""
        return self.terminated or self.event.is_set()

    def deliver(self, message: str) -> None:
        """Tell the listener, or the first one to come. Never blocks: an agent's `interrupt` may hang."""
        self._wake()
        with self._lock:
            listener = self._listener
            if listener is None:
                self._missed.append(message)
        if listener is not None:
            apart(listener, message)

    def terminate(self) -> None:
        """Note a SIGTERM. Called in the signal handler, so the event is set by another thread: the main
        thread may be stopped inside a method of that very event, with its lock."""
        self.terminated = True
        apart(lambda _: self._wake(), "", otherwise_here=False)

    def _wake(self) -> None:
        self.event.set()
        self.woken()

    @contextmanager
    def heard_by(self, listener: Listener) -> Iterator[None]:
        """Deliver to `listener` inside the block; what came before it at once, in this thread."""
        with self._lock:
            self._listener = listener
            missed, self._missed = self._missed, []
        try:
            for message in missed:
                listener(message)
            yield
        finally:
            with self._lock:
                self._listener = None


def _nobody() -> None:
    """Waits for it."""


def apart(listener: Listener, message: str, *, otherwise_here: bool = True) -> None:
    """Call it in a thread of its own; where the run may have no more threads, in this one.

    `_thread` and not `threading`, whose bookkeeping has locks that a signal handler must not want.
    """
    try:
        _thread.start_new_thread(listener, (message,))
    except RuntimeError:
        if otherwise_here:
            listener(message)


class SigtermHandler:
    """Raises `Interrupted` in the main thread at the first SIGTERM; later ones do nothing, so that `finally`
    blocks run undisturbed.

    Installed before the agent's module is imported and never taken back: an agent that installs its own
    handler has replaced this one. A process that the agent forks dies of SIGTERM as usual.
    """

    def __init__(self, interruption: Interruption, channel: Channel) -> None:
        """Called in the main thread. Until it is armed a SIGTERM is kept."""
        self._interruption = interruption
        self._channel = channel
        self._main_thread = threading.get_ident()
        self._state: Literal["early", "missed", "armed", "deaf"] = "early"
        self._bell, bell = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(bell, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self)
        _let_forks_die(self)

    def arm(self) -> None:
        """From here on the next SIGTERM raises; one that came before it was first armed raises now."""
        before, self._state = self._state, "armed"
        if before == "missed":
            self._strike()

    def disarm(self) -> None:
        """From here on SIGTERM does nothing."""
        self._state = "deaf"

    def fileno(self) -> int:
        """Readable when Python has noted a signal, whether or not it has come to call a handler."""
        return self._bell

    def insist(self) -> None:
        """Called in another thread when `fileno` is readable: see that a SIGTERM gets through.

        Python notes a signal and calls its handler later, in the main thread. If that was just about to block
        in a system call, it sleeps on; one more signal wakes it, and rings the bell again if it was in vain.
        """
        if signal.SIGTERM not in os.read(self._bell, 4096):
            return  # a signal that the agent handles itself
        time.sleep(PATIENCE_S)
        installed = signal.getsignal(signal.SIGTERM) is self
        if installed and self._state == "armed":
            signal.pthread_kill(self._main_thread, signal.SIGTERM)

    def __call__(self, _: int, __: FrameType | None) -> None:
        """Called by Python in the main thread."""
        if self._state == "early":
            self._state = "missed"
        elif self._state == "armed":
            self._strike()

    def _strike(self) -> None:
        self._state = "deaf"
        self._interruption.terminate()
        if not self._channel.defer(_raise):
            _raise()


def _raise() -> None:
    raise Interrupted("terminated")


def _let_forks_die(handler: SigtermHandler) -> None:
    """Give what the agent forks the default for SIGTERM, without an instant in which one would be lost."""
    blocked = {signal.SIGTERM}

    def in_child() -> None:
        signal.set_wakeup_fd(-1)
        if signal.getsignal(signal.SIGTERM) is handler:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, blocked)

    os.register_at_fork(
        before=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, blocked),
        after_in_parent=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, blocked),
        after_in_child=in_child,
    )
