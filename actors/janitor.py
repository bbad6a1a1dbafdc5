"""The janitor: removes what ended runs left in folders of the state folder, however deep, many or unreadable it is.

A process of its own, since that can take minutes and nobody should wait. The supervisor starts it when something
lies in the trash, and it ends when all of that is gone. It follows no link and never leaves the folder that it was
given: what lies there was written by agents. Their processes are dead, so nothing is moved meanwhile.
"""

import contextlib
import os
import stat

from . import birth
from .roles import JanitorStart

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NICEST = 19


def begin(birth_fd: int) -> None:
    """Be what was spawned with a `JanitorStart`, until the folder is empty."""
    start = birth.born_with(birth_fd, JanitorStart)
    birth.begin_role("janitor", ())
    os.nice(_NICEST)
    empty(start.folder)


def empty(folder: str) -> None:
    """Remove everything in it, in passes until nothing new is there. What can't be removed is left alone.

    Blocks for as long as it takes, in a few descriptors whatever the depth.
    """
    stuck: set[str] = set()
    while found := set(os.listdir(folder)) - stuck:
        for name in found:
            remove(folder, name)
        stuck |= found & set(os.listdir(folder))


def remove(folder: str, name: str) -> None:
    """Remove what this name stands for, and all below it. Raises nothing: what can't be removed stays."""
    with contextlib.suppress(OSError):
        current = os.open(folder, _FOLDER)
        try:
            if not stat.S_ISDIR(os.stat(name, dir_fd=current, follow_symlinks=False).st_mode):
                os.unlink(name, dir_fd=current)
                return
            current = _swap(current, _entered(current, name))
            current = _clear(current)
            os.rmdir(name, dir_fd=current)
        finally:
            os.close(current)


def _clear(current: int) -> int:
    """Remove all in this folder; returns a descriptor of its parent in place of its own.

    Down into a folder, up when nothing is left to enter, one descriptor at a time: so neither their number nor the
    length of a path bounds the depth. Each name is tried once; a folder in which something stayed stays.
    """
    way: list[
        tuple[str, list[str]]
    ] = []  # from the top: a folder that was entered, and its siblings still to enter
    folders = _cleared_of_files(current)
    while True:
        if folders:
            name = folders.pop()
            with contextlib.suppress(OSError):
                current = _swap(current, _entered(current, name))
                way.append((name, folders))
                folders = _cleared_of_files(current)
            continue
        current = _swap(current, os.open("..", _FOLDER, dir_fd=current))
        if not way:
            return current
        name, folders = way.pop()
        with contextlib.suppress(OSError):
            os.rmdir(name, dir_fd=current)


def _cleared_of_files(current: int) -> list[str]:
    """Remove what is no folder, and name the folders."""
    folders: list[str] = []
    with os.scandir(current) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            else:
                with contextlib.suppress(OSError):
                    os.unlink(entry.name, dir_fd=current)
    return folders


def _entered(current: int, name: str) -> int:
    """A descriptor of a folder below, which may first have to be made readable (it is ours)."""
    try:
        below = os.open(name, _FOLDER, dir_fd=current)
    except PermissionError:
        os.chmod(
            name, 0o700, dir_fd=current
        )  # a folder, as was seen, and no process is left to make it another
        below = os.open(name, _FOLDER, dir_fd=current)
    with contextlib.suppress(OSError):
        os.fchmod(below, 0o700)  # what can't be written can't be emptied
    return below


def _swap(old: int, new: int) -> int:
    os.close(old)
    return new
