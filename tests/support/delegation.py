"""A cgroup that is an ordinary user's to arrange, as a service manager delegates it (cgroups(7), "Delegation")."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from .waiting import AT_LAST_S


def second_hierarchy() -> Path:
    """Where the hierarchy of version 2 is mounted; skips without one that root may arrange."""
    with open("/proc/self/mountinfo") as mounts:
        for line in mounts:
            fields, _, rest = line.partition(" - ")
            if rest.startswith("cgroup2 "):
                return Path(fields.split(" ")[4])
    pytest.skip("no cgroups of version 2 are mounted here")


@contextmanager
def delegated(uid: int) -> Iterator[Path]:
    """A cgroup that belongs to this user. Put a process there by its cgroup.procs, as root."""
    folder = second_hierarchy() / f"test-delegated-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"no cgroup can be made here: {error}")
    try:
        for path in (
            folder,
            folder / "cgroup.procs",
            folder / "cgroup.subtree_control",
            folder / "cgroup.threads",
        ):
            os.chown(path, uid, uid)
        yield folder
    finally:
        _remove(folder)


def _remove(folder: Path) -> None:
    with suppress(OSError):
        (folder / "cgroup.kill").write_text("1")
    for below in [each for each in folder.iterdir() if each.is_dir()]:
        _remove(below)
    deadline = time.monotonic() + AT_LAST_S
    while True:
        try:
            folder.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                raise
            os.sched_yield()
        else:
            return
