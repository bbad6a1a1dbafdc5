"""Waits that a signal can end, and nothing else that it can."""

import signal
import threading
import time
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LOOK_S = 0.1


class Waits:
    """While entered, a signal ends the next wait by KeyboardInterrupt, and raises nothing anywhere else.

    So no clean-up is cut short, however often somebody presses ctrl-C. Enter it in the main thread.
    """

    def __init__(self) -> None:
        self._came = False

    def __enter__(self) -> "Waits":
        self._before = [signal.signal(number, self._take) for number in SIGNALS]
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in zip(SIGNALS, self._before, strict=True):
            signal.signal(number, handler)

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """Whether it happened in time. Raises KeyboardInterrupt within 0.1 s of a signal."""
        until = time.monotonic() + timeout_s
        while True:
            if self._came:
                raise KeyboardInterrupt
            left_s = max(until - time.monotonic(), 0)
            if event.wait(min(left_s, LOOK_S)):
                return True
            if not left_s:
                return False

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        self._came = True
