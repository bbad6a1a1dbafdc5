"""Runs a coroutine of the agent's, which an interrupt cancels."""

from collections.abc import Coroutine
from typing import Any, TypeVar

from .interruption import Interruption

T = TypeVar("T")


def see_through(work: Coroutine[Any, Any, T], interruption: Interruption) -> T | None:
    """What it returns; None if it was cancelled since the run is to end. Raises what it raises."""
    import asyncio  # costs tens of ms, and few agents need it

    async def cancellable() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        with interruption.heard_by(lambda why: _cancel(loop, task, why)):
            return await work

    try:
        return asyncio.run(cancellable())
    except asyncio.CancelledError:
        if not interruption.wished:
            raise  # it cancelled itself
        return None


def _cancel(loop: Any, task: Any, why: str) -> None:
    try:
        loop.call_soon_threadsafe(task.cancel, why)
    except RuntimeError:
        pass  # the loop closed first: the agent is done
