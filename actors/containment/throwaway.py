"""Work done in a throw-away child, and what the kernel said to it. For trials: nothing of the child stays."""

import contextlib
import errno
import os
import signal
import time
from collections.abc import Callable
from typing import NoReturn

from . import linux
from .findings import Tried

LONGEST_S = 5  # a trial that hangs is ended by its alarm, and has failed
_PASSED = 0
_UNTOLD = 255  # it failed, but not by the kernel's word

#: Raises OSError, or says what was found.
Work = Callable[[], str | None]


def tried(work: Work, flags: int = 0, cgroup_fd: int | None = None) -> Tried:
    """Do the work in a child that is born with these `clone3` flags. Single-threaded callers only; takes 1-2 ms."""
    began = time.monotonic()
    reads, writes = os.pipe()
    try:
        child = linux.clone_process(flags, cgroup_fd)
    except OSError as error:
        os.close(writes)
        os.close(reads)
        return refused(error, ms_since(began))
    if child is None:
        _be_child(work, writes)
    os.close(writes)
    os.close(child.pidfd)
    said = _read_all(reads)
    _, status = os.waitpid(child.pid, 0)
    number, _, detail = said.decode(errors="replace").partition(" ")
    if not number:
        detail = f"the trial ended with {os.waitstatus_to_exitcode(status)}"
    return Tried(int(number or _UNTOLD), ms_since(began), detail)


def refused(error: OSError, took_ms: float = 0.0) -> Tried:
    """The kernel's no, or ours."""
    return Tried(error.errno or _UNTOLD, took_ms, error.filename or "")


def why(failed: Tried) -> str:
    """In words: what the kernel said, its number by name, and where it said that."""
    if failed.errno == _UNTOLD:
        return f"it failed ({failed.detail})"
    code = errno.errorcode.get(failed.errno, str(failed.errno))
    return f"{os.strerror(failed.errno)} ({', '.join(filter(None, (code, failed.detail)))})"


def _be_child(work: Work, writes: int) -> NoReturn:
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(LONGEST_S)
        said = f"{_PASSED} {work() or ''}"
    except OSError as error:
        said = f"{error.errno or _UNTOLD} {error.filename or ''}"
    except BaseException as error:  # noqa: BLE001  # the child must end here
        said = f"{_UNTOLD} {error!r}"
    try:
        with contextlib.suppress(OSError):
            os.write(writes, said.encode(errors="replace")[:4000])
    finally:
        os._exit(0)


def _read_all(reads: int) -> bytes:
    with open(reads, "rb") as pipe:
        return pipe.read()


def ms_since(began: float) -> float:
    """Of a monotonic time."""
    return round((time.monotonic() - began) * 1000, 2)
