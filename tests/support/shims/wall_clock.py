"""A wall clock that is an hour behind as soon as there is the file SET_BACK, in all processes of a server.

Of the kernel's two clocks only the wall clock can be set (clock_settime(2)), and all of it that our processes read
they read by `time.time`.
"""

import os
import time

SET_BACK = ""
BY_S = 3600.0

_time = time.time


def wall_clock() -> float:
    """In place of `time.time`."""
    return _time() - BY_S if os.access(SET_BACK, os.F_OK) else _time()


time.time = wall_clock
