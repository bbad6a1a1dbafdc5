"""Waiting for a condition, the one place in these tests where time passes: a test itself never sleeps."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

AT_LAST_S = 15.0  # for what normally takes milliseconds, on a machine that is busy with something else
_PAUSE_S, _LONGEST_PAUSE_S = 0.002, 0.05


def until(condition: Callable[[], T | None], deadline_s: float, what: str | Callable[[], str]) -> T:
    """What `condition` returns once that is true; fails after `deadline_s`, saying `what` never came."""
    began = time.monotonic()
    end = began + deadline_s
    while not (held := condition()):
        now = time.monotonic()
        if now > end:
            said = what if isinstance(what, str) else what()
            raise AssertionError(f"not within {deadline_s:g} s: {said}")
        # As long as it took to look, lest what is waited for waits for the processor.
        time.sleep(min(max(_PAUSE_S, now - began), _LONGEST_PAUSE_S))
        began = time.monotonic()
    return held
