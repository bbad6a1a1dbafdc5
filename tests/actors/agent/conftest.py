"""The warden that the tests of this folder are."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .harness import Forker, Warden


@pytest.fixture(scope="session")
def forker() -> Iterator[Forker]:
    """One process that forks agents, for all tests."""
    made = Forker()
    yield made
    made.close()


@pytest.fixture
def warden(forker: Forker, tmp_path: Path) -> Iterator[Warden]:
    """A warden whose agents work in `tmp_path`; what it started does not outlive the test."""
    made = Warden(forker, tmp_path)
    yield made
    made.close()
