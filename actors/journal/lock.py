"""One server per state folder, held by a lock that the kernel drops when its holder dies, however it dies."""

import fcntl
import os
from pathlib import Path

from ..errors import StateFolderTaken, StateFolderUnusable
from . import folder as state_folder


class StateLock:
    """Keeps the state folder for this process. Root takes it before it starts anything, and to its end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock and write our pid into it; make the folder (0700) if it is absent. Does not wait.

        Raises `StateFolderTaken`, naming the holder, or `StateFolderUnusable`; then nothing has changed.
        """
        state_folder.prepare(self._folder)
        descriptor = self._open()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
            os.close(descriptor)
            raise StateFolderTaken(
                f"state folder {self._folder} is in use by another server (pid {holder or 'not known'}); "
                "stop that one or choose another folder with --state"
            ) from error
        except OSError as error:
            os.close(descriptor)
            raise self._unusable(error) from error
        self._descriptor = descriptor

    def inherit(self, descriptor: int) -> None:
        """Hold the lock by the descriptor that this process had before it executed itself anew."""
        self._descriptor = descriptor

    @property
    def descriptor(self) -> int:
        """Of the file that is locked: whoever has it, has the lock."""
        assert self._descriptor is not None
        return self._descriptor

    def release(self) -> None:
        """Give the folder up. The file stays: removing it would let two later servers lock two files."""
        if self._descriptor is None:
            return
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)
        self._descriptor = None

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            return os.open(self._folder / "lock", flags, 0o600)
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> StateFolderUnusable:
        return StateFolderUnusable(f"state folder {self._folder} can't be locked: {error.strerror}")
