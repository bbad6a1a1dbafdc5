"""Work done without the capabilities of root (capabilities(7)): file modes and /proc refuse it what they refuse
an ordinary user.

It stays the same user, so whatever that one may read (Python, the checkout) is still readable.
"""

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

_PR_SET_SECUREBITS = 28
_SECBIT_NOROOT = 1  # a program that uid 0 executes gains nothing by that
_VERSION_3 = 0x20080522
_libc = ctypes.CDLL(None, use_errno=True)


def without_privileges(work: Callable[[], T]) -> T:
    """What `work` returns or raises in a thread of its own, which has no capability, nor has what it spawns."""
    with ThreadPoolExecutor(1, thread_name_prefix="unprivileged", initializer=_give_up) as thread:
        return thread.submit(work).result()


def _give_up() -> None:
    """For this thread alone, as the kernel keeps them for each."""
    if os.geteuid() == 0:
        _check(_libc.prctl(_PR_SET_SECUREBITS, _SECBIT_NOROOT, 0, 0, 0))
    none = (ctypes.c_uint32 * 6)()
    _check(_libc.capset((ctypes.c_uint32 * 2)(_VERSION_3, 0), none))


def _check(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def lose(capability: int) -> None:
    """Have all that this thread has but for this one, by its number."""
    header, held = (ctypes.c_uint32 * 2)(_VERSION_3, 0), (ctypes.c_uint32 * 6)()
    _check(_libc.capget(header, held))
    for which in range(3):  # effective, permitted, inheritable
        held[3 * (capability // 32) + which] &= ~(1 << capability % 32)
    _check(_libc.capset(header, held))
