"""What cgroups hold here, tried for real: a leaf is made beside us, a child put into it, limited, killed.

On version 2 our own processes step aside first, into `runward-own`, where that is what the kernel asks for: a cgroup
whose children have controllers holds no process itself. Only where we are alone in ours, as in a delegated unit.
"""

import contextlib
import errno
import os
import select
import signal
from collections.abc import Callable

from . import cgroups, linux
from .findings import Place, Tried
from .hierarchies import USED, Hierarchy, of_this_process
from .throwaway import refused, tried

_REMOVED_WITHIN_S = 0.5  # a cgroup is busy until its dead are buried
_TOUCHED_BYTES = 1 << 21
_TRIAL_BYTES = 1 << 28
_SEEN_BYTES = _TOUCHED_BYTES // 2  # the kernel charges in lots


def try_cgroups() -> tuple[dict[str, Tried], tuple[Place, ...]]:
    """Mechanism → what came of it, and the places that can be used. Single-threaded callers only; takes some ms."""
    found: dict[str, Tried] = {"cgroup_kill": _not_there("cgroup2")}
    found |= {f"{controller}_cgroup": _not_there(controller) for controller in USED}
    places: list[Place] = []
    for hierarchy in of_this_process():
        outcomes = _try_second(hierarchy) if hierarchy.version == 2 else _try_first(hierarchy)
        found |= outcomes
        held = tuple(name for name in USED if (out := outcomes.get(f"{name}_cgroup")) and out.works)
        if held or (hierarchy.version == 2 and outcomes["cgroup_kill"].works):
            places.append(Place(hierarchy.version, _base(hierarchy), held))
    return found, tuple(sorted(places, key=lambda place: -place.version))


def _not_there(what: str) -> Tried:
    return Tried(errno.ENODEV, detail=f"no hierarchy with {what} is mounted here")


def _base(hierarchy: Hierarchy) -> str:
    """Beside our processes, also when an earlier start of ours put them aside already."""
    parent, _, last = hierarchy.own.rpartition("/")
    return parent if last == cgroups.OWN else hierarchy.own


# ── version 2 ───────────────────────────────────────────────────────────────────────────────────


def _try_second(hierarchy: Hierarchy) -> dict[str, Tried]:
    place = Place(2, _base(hierarchy))
    outcomes = {"cgroup_kill": _in_a_leaf(place, _kill_a_child)}
    for controller in _controllers(place):
        error = _enable(place, controller)
        if error is None:
            only = Place(2, place.folder, (controller,))
            outcomes[f"{controller}_cgroup"] = _in_a_leaf(only, _born)
        else:
            outcomes[f"{controller}_cgroup"] = refused(error)
    return outcomes


def _controllers(place: Place) -> list[str]:
    with contextlib.suppress(OSError):
        available = cgroups.get(place, ".", "cgroup.controllers").decode().split()
        return [controller for controller in USED if controller in available]
    return []


def _enable(place: Place, controller: str) -> OSError | None:
    """Let this controller hold the children of our cgroup; None if it does."""
    try:
        if controller in cgroups.get(place, ".", "cgroup.subtree_control").decode().split():
            return None
        try:
            cgroups.put(place, ".", "cgroup.subtree_control", f"+{controller}".encode())
        except OSError as error:
            if error.errno != errno.EBUSY or not _step_aside(place):
                raise
            cgroups.put(place, ".", "cgroup.subtree_control", f"+{controller}".encode())
    except OSError as error:
        return OSError(error.errno, error.strerror, f"{place.folder}/cgroup.subtree_control")
    return None


def _step_aside(place: Place) -> bool:
    """Leave our cgroup for one below it, if nobody else is in it."""
    if cgroups.processes(place, ".") != [os.getpid()]:
        return False
    with contextlib.suppress(FileExistsError):
        cgroups.make(place, cgroups.OWN)
    cgroups.put(place, cgroups.OWN, "cgroup.procs", b"%d" % os.getpid())
    return True


def _kill_a_child(place: Place, name: str) -> Tried:
    """Have a child born in the leaf, kill the leaf, and see that it is empty."""
    folder = os.open(f"{place.folder}/{name}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        child = linux.clone_process(0, folder)
    finally:
        os.close(folder)
    if child is None:
        signal.alarm(5)
        while True:
            signal.pause()
    try:
        cgroups.kill(place, name)
        poll = select.poll()
        poll.register(child.pidfd, select.POLLIN)
        died = bool(poll.poll(1000))
        populated = b"populated 1" in cgroups.get(place, name, "cgroup.events")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGKILL)
        os.waitpid(child.pid, 0)
        os.close(child.pidfd)
    if died and not populated:
        return Tried()
    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), "cgroup.kill left somebody alive")


def _born(place: Place, name: str) -> Tried:
    """Have a child born in the leaf, and see that it is held."""
    _limit_for_trial(place, name)
    folder = os.open(f"{place.folder}/{name}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return tried(lambda: _held(place, name), 0, folder)
    finally:
        os.close(folder)


# ── version 1 ───────────────────────────────────────────────────────────────────────────────────


def _try_first(hierarchy: Hierarchy) -> dict[str, Tried]:
    outcomes = {}
    for controller in hierarchy.controllers:
        place = Place(1, _base(hierarchy), (controller,))
        outcomes[f"{controller}_cgroup"] = _in_a_leaf(place, _joined)
    return outcomes


def _joined(place: Place, name: str) -> Tried:
    """Have a child step into the leaf, and see that it is held."""
    _limit_for_trial(place, name)

    def work() -> str | None:
        cgroups.put(place, name, "tasks", b"0")
        return _held(place, name)

    return tried(work)


# ── both ────────────────────────────────────────────────────────────────────────────────────────


def _in_a_leaf(place: Place, attempt: Callable[[Place, str], Tried]) -> Tried:
    name = f"{cgroups.PREFIX}trial-{os.getpid()}"
    try:
        cgroups.make(place, name)
        try:
            outcome = attempt(place, name)
        finally:
            cgroups.remove(place, name, _REMOVED_WITHIN_S)
    except OSError as error:
        return refused(error if error.filename else OSError(error.errno, error.strerror, place.folder))
    return Tried(outcome.errno, outcome.took_ms, outcome.detail or f"version {place.version}")


def _limit_for_trial(place: Place, name: str) -> None:
    cgroups.limit(place, name, pids=1)
    cgroups.limit_memory(place, name, _TRIAL_BYTES)


def _held(place: Place, name: str) -> str | None:
    """In the leaf: does its one controller hold me?"""
    match place.controllers:
        case ("pids",):
            _cannot_fork()
        case ("memory",):
            _is_charged(place, name)
        case _:
            cgroups.put(place, name, *cgroups.HIGH[place.version])
    return None


def _cannot_fork() -> None:
    try:
        pid = os.fork()
    except BlockingIOError:
        return
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    raise OSError(errno.EPROTO, "a second process could be made", "pids.max")


def _is_charged(place: Place, name: str) -> None:
    touched = bytearray(_TOUCHED_BYTES)
    file = "memory.current" if place.version == 2 else "memory.usage_in_bytes"
    charged = int(cgroups.get(place, name, file))
    if charged < _SEEN_BYTES:
        raise OSError(errno.EPROTO, f"{len(touched)} bytes were taken, {charged} counted", file)
