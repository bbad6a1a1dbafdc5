"""Fresh interpreters for our own roles, with nothing of their parent but what they are born with.

They are started by the lowest layer of `multiprocess`. What its spawn would bring along serves no role: a tracker of
resources, the parent's authkey and main script, and a pickle of the birth data, for which every role would import
dill (7 MB, of a zygote copied by each run that touches it). The birth data is msgpack instead, and comes through an
inherited pipe; only the descriptors named are inherited.
"""

import contextlib
import os
import resource
import sys
from collections.abc import Iterable

import msgspec
from multiprocess import util

from . import birth

# -P: the current folder is no place to import from. What is imported stays: looking through it for garbage, again and
# again as it grows, would be a tenth of the start.
_BIRTH = """\
import gc, sys
gc.disable()
sys.path[:] = {path!r}
from {module} import {function}
gc.enable()
{function}({birth_fd})
"""


def spawn(main: str, start: msgspec.Struct, inherited: Iterable[int]) -> int:
    """Start `main` ("package.module:function") in a fresh interpreter; returns its pid.

    It is called with a descriptor from which `birth.born_with` reads `start`. The descriptors in `inherited` have the
    same numbers in the child; nothing else is open there but stdio, and it may open as many as this process at its
    birth. `main`'s module is imported in the child only, so a light parent stays light. The caller reaps the pid.
    Returns once the child has read `start`, or has all of it to read. Raises OSError; then there is no child.
    """
    module, function = main.split(":")
    reads, writes = os.pipe()
    code = _BIRTH.format(path=sys.path, module=module, function=function, birth_fd=reads)
    command = [sys.executable, "-P", "-c", code]
    try:
        pid = int(util.spawnv_passfds(os.fsencode(sys.executable), command, [reads, *inherited]))
    except OSError:
        os.close(writes)
        raise
    finally:
        os.close(reads)
    with contextlib.suppress(ProcessLookupError):  # it is for `_give` to find out
        resource.prlimit(pid, resource.RLIMIT_NOFILE, birth.LIMITS_AT_BIRTH)
    _give(pid, writes, msgspec.msgpack.encode(start))
    return pid


def _give(pid: int, writes: int, payload: bytes) -> None:
    """Write the birth data. If nobody reads it the child is dead: reap it, since no one else will hear of it."""
    try:
        with open(writes, "wb") as pipe:
            pipe.write(payload)
    except BrokenPipeError:
        os.waitpid(pid, 0)
        raise
