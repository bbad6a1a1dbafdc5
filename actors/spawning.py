"""Fresh processes for our own roles, by `multiprocess` spawn, without what spawn carries along; zygotes without it.

Plain spawn also starts a resource tracker, hands the parent's authkey down and imports the parent's main script
again in the child (measured: 185 ms against 10). None of that serves a role, so this leaves it out. The role's
birth data goes through an inherited pipe; only the descriptors named are inherited.
"""

import contextlib
import gc
import importlib
import io
import os
import resource
import sys
from collections.abc import Iterable
from typing import Any

import msgspec
from multiprocess import context, popen_spawn_posix, spawn, util
from multiprocess.reduction import dump

from . import birth

_INTERPRETER_FLAGS = ("-P",)  # the current folder is no place to import from
_LEFT_OUT = frozenset({"authkey", "init_main_from_name", "init_main_from_path"})


class _Popen(popen_spawn_posix.Popen):  # type: ignore[misc]
    """Spawn with no resource tracker, no authkey and no main script."""

    def __init__(self, process_obj: Any, inherited: Iterable[int]) -> None:
        self._inherited = tuple(inherited)
        super().__init__(process_obj)

    def _launch(self, process_obj: Any) -> None:
        payload = self._payload(process_obj)
        child_reads, parent_writes = os.pipe()
        try:
            command = spawn.get_command_line(pipe_handle=child_reads)
            self.pid = util.spawnv_passfds(spawn.get_executable(), command, [child_reads, *self._inherited])
        except OSError:
            os.close(parent_writes)
            raise
        finally:
            os.close(child_reads)
        _give(self.pid, parent_writes, payload)
        self.sentinel = None  # an exit is seen by pidfd: a sentinel stays open in grandchildren

    def _payload(self, process_obj: Any) -> bytes:
        prepared = spawn.get_preparation_data(process_obj.name)
        buffer = io.BytesIO()
        context.set_spawning_popen(self)
        try:
            dump({key: value for key, value in prepared.items() if key not in _LEFT_OUT}, buffer)
            dump(process_obj, buffer)
        finally:
            context.set_spawning_popen(None)
        return buffer.getvalue()


def spawn_role(main: str, start: object, inherited: Iterable[int]) -> int:
    """Start `main` ("package.module:function") with `start` in a fresh interpreter; returns its pid.

    The descriptors in `inherited` have the same numbers in the child; nothing else is open there but stdio. The
    module is imported in the child only, so a light parent stays light. The caller reaps the pid: no
    `multiprocess` object is left that might signal it later. Returns once the child has read `start`.
    """
    role = context.SpawnProcess(target=_be, args=(main, start), name=main)
    role._config.pop("authkey", None)  # it opens nothing of ours, and is nobody else's business
    return int(_Popen(role, inherited).pid)


def spawn_light(main: str, start: msgspec.Struct, inherited: Iterable[int]) -> int:
    """Start `main` with `start` as bytes on a pipe, in an interpreter that imports `main`'s module and no more.

    For zygotes: every page of what they import is copied by each run that touches it, and multiprocess with dill
    is 7 MB of it. As `spawn_role` in all else, but `main` takes the pipe's descriptor, and may open as many as this
    process at its birth. Raises OSError.
    """
    module, function = main.split(":")
    reads, writes = os.pipe()
    code = f"import sys; sys.path[:] = {sys.path!r}; from {module} import {function}; {function}({reads})"
    command = [sys.executable, *_INTERPRETER_FLAGS, "-c", code]
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


def _be(main: str, start: object) -> None:
    module, function = main.split(":")
    # What is imported stays: looking through it for garbage, again and again as it grows, is a tenth of the start.
    gc.disable()
    begin = getattr(importlib.import_module(module), function)
    gc.enable()
    begin(start)
