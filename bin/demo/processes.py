"""Looks at processes from outside: what the demo proves, it doesn't take anyone's word for."""

from collections.abc import Iterable
from typing import NamedTuple

import psutil


class Sighting(NamedTuple):
    """A process that was seen. `born` tells it from a later one with its pid; None: it was gone by then."""

    pid: int
    born: float | None


def sight(pid: int) -> Sighting:
    """The process that has this pid now."""
    try:
        return Sighting(pid, psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return Sighting(pid, None)


def is_alive(seen: Sighting) -> bool:
    """Whether the very same process still exists, be it as a zombie."""
    return seen.born is not None and sight(seen.pid).born == seen.born


def family(pid: int) -> list[psutil.Process]:
    """The process and all below it, as of now."""
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def left_of(processes: Iterable[psutil.Process], patience_s: float) -> list[int]:
    """The pids of those that are still there after this time; returns sooner once all are gone."""
    _, alive = psutil.wait_procs(list(processes), timeout=patience_s)
    return [process.pid for process in alive]


def kill_all(processes: Iterable[psutil.Process]) -> None:
    """SIGKILL to each that is still there."""
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            pass
