"""A fake supervisor and facades for it."""

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from .fake_supervisor import FakeSupervisor
from .running_facade import Running, running, settings

StartFacade = Callable[..., Awaitable[Running]]


@pytest.fixture
def supervisor() -> Iterator[FakeSupervisor]:
    """In a folder of its own with a short path: an ipc path ends at 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="rw") as folder, FakeSupervisor(Path(folder)) as fake:
        yield fake


@pytest.fixture
async def start_facade(supervisor: FakeSupervisor) -> AsyncIterator[StartFacade]:
    """Start facades with settings of the test's choice; they end with the test."""
    async with AsyncExitStack() as stack:

        async def start(**changes: Any) -> Running:
            return await stack.enter_async_context(running(supervisor, settings(**changes)))

        yield start


@pytest.fixture
async def facade(start_facade: StartFacade) -> Running:
    """A facade with the default settings."""
    return await start_facade()
