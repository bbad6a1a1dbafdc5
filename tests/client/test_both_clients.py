"""The client for asyncio has what the blocking one has, and the other way round."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from runward.http.api_async import AsyncClient, AsyncRunHandle
from runward.http.api_client import Client, RunHandle

ONLY_OF_ASYNC = {"close"}  # it keeps connections, so it has to be let go of
PAIRS = [(Client, AsyncClient), (RunHandle, AsyncRunHandle)]


def methods(of: type) -> dict[str, Any]:
    """Its public ones, and how it is made."""
    return {name: each for name, each in vars(of).items() if name == "__init__" or not name.startswith("_")}


def told(method: Callable[..., Any]) -> list[tuple[str, Any, Any, str]]:
    """What a method may be told: name, kind, default and type of each parameter."""
    return [
        (each.name, each.kind, each.default, _name(each.annotation).replace("Async", ""))
        for each in inspect.signature(method).parameters.values()
    ]


def _name(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)


@pytest.mark.parametrize(("blocking", "asynchronous"), PAIRS)
def test_both_have_the_same_methods(blocking: type, asynchronous: type) -> None:
    assert methods(asynchronous).keys() - ONLY_OF_ASYNC == methods(blocking).keys()


@pytest.mark.parametrize(
    ("blocking", "asynchronous"),
    [
        pytest.param(each, methods(asynchronous).get(name), id=f"{blocking.__name__}.{name}")
        for blocking, asynchronous in PAIRS
        for name, each in methods(blocking).items()
        if inspect.isfunction(each)
    ],
)
def test_a_method_is_told_the_same_by_both(
    blocking: Callable[..., Any], asynchronous: Callable[..., Any]
) -> None:
    assert told(asynchronous) == told(blocking)


def test_no_method_of_the_client_for_asyncio_blocks() -> None:
    """Each is a coroutine, or gives what is iterated by `async for`."""
    plain = {
        name
        for name, each in methods(AsyncClient).items()
        if inspect.isfunction(each)
        and not (inspect.iscoroutinefunction(each) or inspect.isasyncgenfunction(each))
    }
    assert plain == {"__init__", "stream", "logs"}
