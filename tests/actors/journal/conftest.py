"""A journal of its own for each test, and the assurance that none is left open."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from runward.actors.journal.reader import Reader
from runward.actors.journal.writer import Writer

from .disks import disk, small_files, small_tmpfs


def open_below(folder: Path) -> list[str]:
    """The files below `folder` that this process has open."""
    links = [os.readlink(entry.path) for entry in os.scandir("/proc/self/fd") if os.path.islink(entry.path)]
    return [link for link in links if link.startswith(f"{folder}/")]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A state folder that is not there yet, with a name that must be quoted in an address."""
    yield tmp_path / "state ?#%20é"
    assert open_below(tmp_path) == []
    assert not [thread for thread in threading.enumerate() if "journal" in thread.name]


@pytest.fixture
def writer(folder: Path) -> Iterator[Writer]:
    writer = Writer(folder)
    yield writer
    writer.close()


@pytest.fixture
def reader(folder: Path, writer: Writer) -> Iterator[Reader]:
    reader = Reader(folder)
    yield reader
    reader.close()


__all__ = ["disk", "small_files", "small_tmpfs"]
