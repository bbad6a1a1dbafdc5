"""Ctrl-C while a run is followed: once stops the run, twice kills it, three times leaves it to itself.

The handler raises nothing: the stream goes on being read, so that the end and its receipt are seen. It prints
nothing either, since the main thread may be in the middle of a line; a thread of its own does both.

Python notes a signal and calls its handler later, in the main thread. If that was just about to block in a system
call, it sleeps on with the signal noted, until the server next says something. So each is followed by a nudge.
"""

import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from ..http.api_client import Client
from ..http.api_errors import ApiError, ClientError, RunEnded
from .terminal import say

SIGNALS = (signal.SIGINT, signal.SIGTERM)
STOP, KILL, LEAVE = 1, 2, 3
NUDGE = signal.SIGURG  # nobody else sends it; what matters is that a system call is broken off
NUDGED_AFTER_S = 0.02


class StopOnInterrupt:
    """While entered, ctrl-C and SIGTERM are for the run. Enter it in the main thread, before the start.

    A wish that comes before the run's id is known is kept for `started`; a second one then leaves at once,
    by KeyboardInterrupt.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._run_id: str | None = None
        self._wish = 0
        self._done = 0
        self._before: list[Any] = []

    def __enter__(self) -> "StopOnInterrupt":
        self._before = [signal.signal(number, self._interrupted) for number in SIGNALS]
        self._before.append(signal.signal(NUDGE, lambda *_: None))
        noted, self._bell = os.pipe()
        os.set_blocking(self._bell, False)
        self._bell_before = signal.set_wakeup_fd(self._bell, warn_on_full_buffer=False)
        threading.Thread(target=_nudge, args=(noted, threading.get_ident()), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(self._bell_before)
        os.close(self._bell)  # which ends the thread
        for number, handler in zip((*SIGNALS, NUDGE), self._before, strict=True):
            signal.signal(number, handler)

    def started(self, run_id: str) -> None:
        """The run to stop is this one."""
        self._run_id = run_id
        self._act()

    def _interrupted(self, _number: int, _frame: FrameType | None) -> None:
        self._wish += 1
        if self._wish >= LEAVE or (self._run_id is None and self._wish >= KILL):
            raise KeyboardInterrupt
        if self._run_id is None:
            _in_background(say, "the server has not answered yet; ctrl-C again leaves without waiting")
        self._act()

    def _act(self) -> None:
        if self._run_id is not None and self._done < self._wish:
            self._done = self._wish
            _in_background(self._ask, self._run_id, self._wish)

    def _ask(self, run_id: str, wish: int) -> None:
        try:
            if wish == STOP:
                say(f"stopping {run_id}; ctrl-C again kills it")
                self._client.stop(run_id, reason="ctrl-C in runward run")
            else:
                say(f"killing {run_id}; ctrl-C again leaves without waiting")
                self._client.kill(run_id)
        except RunEnded:
            pass  # as was wished
        except ApiError as error:
            say(f"the stop was refused: {error}")
        except ClientError as error:
            say(f"the stop was not heard: {error}")


def _nudge(noted: int, main_thread: int) -> None:
    """Follow every signal that was noted by another, until the other end of the pipe is closed."""
    with open(noted, "rb", buffering=0) as signals:
        while number := signals.read(1):
            if number[0] in SIGNALS:
                time.sleep(NUDGED_AFTER_S)
                signal.pthread_kill(main_thread, NUDGE)


def _in_background(act: Callable[..., None], *arguments: object) -> None:
    # A daemon: a server that doesn't answer must not keep this process.
    threading.Thread(target=act, args=arguments, daemon=True).start()
