"""Waiting in a loop's own tests for a condition that nobody announces: the one place where they let time pass."""

import asyncio
from collections.abc import Callable

DEADLINE_S = 10.0
_PAUSE_S = 0.001


async def until(condition: Callable[[], bool], what: str) -> None:
    """Return once `condition` holds; fails, saying `what` never came, after a deadline."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():  # noqa: ASYNC110 - the conditions are other threads' and processes'
                await asyncio.sleep(_PAUSE_S)
    except TimeoutError as error:
        raise AssertionError(f"not within {DEADLINE_S:g} s: {what}") from error
