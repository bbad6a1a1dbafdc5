"""Nothing is left behind by a test of this folder: no process, descriptor or thread, and no folder in TMPDIR."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from runward.actors import running

from ..support.leaks import _nothing_left_by_a_test

__all__ = ["_nothing_left_by_a_test"]


@pytest.fixture(autouse=True)
def temporary(
    _nothing_left_by_a_test: None, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """Where servers of the test put what is temporary. Short, since a path of a socket ends at 107 bytes."""
    tmp_path_factory.getbasetemp()  # not in here
    folder = Path(tempfile.mkdtemp(prefix="rw", dir="/tmp"))
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    try:
        yield folder
        assert list(folder.iterdir()) == []
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def _end_servers(temporary: Path) -> Iterator[None]:
    """What `run` keeps for the next call is ended."""
    yield
    running._close(os.getpid())
