"""Disks with little room: a tiny tmpfs where we may mount one, and a file size limit, which anybody may set."""

import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

KIB = 1024


class SmallDisk(NamedTuple):
    folder: Path
    set_room: Callable[[int], None]  # bytes


@pytest.fixture
def small_tmpfs(tmp_path: Path) -> Iterator[SmallDisk]:
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    point = tmp_path / "mounted"
    point.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", point], check=True)

    def set_room(size: int) -> None:
        state = os.statvfs(point)
        used = (state.f_blocks - state.f_bfree) * state.f_frsize  # it can't be made smaller than that
        subprocess.run(["mount", "-o", f"remount,size={max(size, used)}", point], check=True)

    yield SmallDisk(point / "state", set_room)
    subprocess.run(["umount", point], check=True)


@pytest.fixture
def small_files(tmp_path: Path) -> Iterator[SmallDisk]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def set_room(size: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))

    set_room(1024 * KIB)
    yield SmallDisk(tmp_path / "state", set_room)
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(params=["small_tmpfs", "small_files"])
def disk(request: pytest.FixtureRequest) -> SmallDisk:
    found: SmallDisk = request.getfixturevalue(request.param)
    return found
