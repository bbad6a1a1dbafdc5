"""The files that a run keeps (`work_folder = "keep"`), read for whoever may see the run.

An agent made them, and may still be at it: no link is followed, nothing but plain files is opened, and neither their
depth nor their number is trusted. A path is bytes here, as the kernel has it; `..` leads nowhere.
"""

import os
import stat
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

KEPT = "kept"  # in the state folder; one folder a run below it, made by `work_folders`
DEEPEST = 64
MOST_LOOKED_AT = 100_000  # entries of any kind: links and empty folders take time, too
MOST_PATH_BYTES = 4_194_304  # of all paths of a listing: each may have as many names as it is deep
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a FIFO would be waited for otherwise


class KeptFile(NamedTuple):
    """A plain file. `path`: from the work folder."""

    path: bytes
    size_bytes: int
    modified_at: float


class Listing(NamedTuple):
    """`complete`: whether that is all; not if there are more than were wanted or can be told at once, deeper ones, or
    unreadable folders.
    """

    files: list[KeptFile]
    complete: bool


def folder(state_dir: str, run_id: str) -> str:
    """Where a run keeps its files, if it does."""
    return f"{state_dir}/{KEPT}/{run_id}"


def listed(state_dir: str, run_id: str, most: int) -> Listing | None:
    """Its plain files in the order of their paths, at most so many; None if it keeps none. Blocks, maybe for long."""
    try:
        top = os.open(folder(state_dir, run_id), _FOLDER)
    except FileNotFoundError:
        return None
    walk = _Walk()
    files: list[KeptFile] = []
    path_bytes = 0
    for file in walk.below(top, b"", 0):
        path_bytes += len(file.path)
        if len(files) == most or path_bytes > MOST_PATH_BYTES:
            return Listing(files, False)
        files.append(file)
    return Listing(files, walk.complete)


def opened(state_dir: str, run_id: str, path: bytes) -> tuple[int, int]:
    """A descriptor of this plain file, for the caller to close, and its size.

    Raises FileNotFoundError for whatever is no plain file of the run's, PermissionError if it can't be read.
    """
    names = path.split(b"/")
    if not all(name not in (b"", b".", b"..") and b"\0" not in name for name in names):
        raise FileNotFoundError(path)
    current = os.open(folder(state_dir, run_id), _FOLDER)
    try:
        for name in names[:-1]:
            below = os.open(name, _FOLDER, dir_fd=current)
            os.close(current)
            current = below
        file = os.open(names[-1], _FILE, dir_fd=current)
    except PermissionError:
        raise
    except OSError as error:  # ELOOP for a link, ENOTDIR, ENAMETOOLONG, ENXIO for a socket
        raise FileNotFoundError(path) from error
    finally:
        os.close(current)
    found = os.fstat(file)
    if not stat.S_ISREG(found.st_mode):
        os.close(file)
        raise FileNotFoundError(path)
    return file, found.st_size


class _Walk:
    """One look at everything."""

    def __init__(self) -> None:
        self.complete = True
        self._left = MOST_LOOKED_AT

    def below(self, folder: int, way: bytes, depth: int) -> Iterator[KeptFile]:
        """The files below this folder, whose descriptor is closed at the end."""
        try:
            for name in sorted(self._names(folder)):
                found = _looked_at(folder, name)
                if found is None:
                    continue
                if stat.S_ISREG(found.st_mode):
                    yield KeptFile(way + name, found.st_size, found.st_mtime)
                elif stat.S_ISDIR(found.st_mode):
                    yield from self._deeper(folder, name, way, depth)
        finally:
            os.close(folder)

    def _names(self, folder: int) -> list[bytes]:
        """What is in it, as far as it is looked at: nobody knows how much that is until it is read."""
        with os.scandir(folder) as entries:
            names = [os.fsencode(entry.name) for entry in islice(entries, self._left + 1)]
        if len(names) > self._left:
            self.complete = False
            names = names[: self._left]
        self._left -= len(names)
        return names

    def _deeper(self, folder: int, name: bytes, way: bytes, depth: int) -> Iterator[KeptFile]:
        if depth == DEEPEST:
            self.complete = False
            return
        try:
            below = os.open(name, _FOLDER, dir_fd=folder)
        except OSError:
            self.complete = False
            return
        yield from self.below(below, way + name + b"/", depth + 1)


def _looked_at(folder: int, name: bytes) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:  # it is gone already
        return None
