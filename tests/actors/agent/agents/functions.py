"""Well-behaved agents, one of each shape."""

# ruff: noqa: T201  # what an agent prints is a part of what is tested

import functools
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any

from runward.actors.run import Run


def returns(text: str) -> str:
    return f"you said {text}"


def returns_json(text: str) -> dict[str, Any]:
    return {"said": text, "list": [1, 2.5, None, True]}


def returns_nothing(_: str) -> None:
    return None


def prints(text: str) -> None:
    print(text)


def tells_of_its_run(text: str, run: Run) -> dict[str, Any]:
    return {
        "input": text,
        "run_id": run.run_id,
        "session_id": run.session_id,
        "history": run.history,
        "instructions": run.instructions,
        "metadata": run.metadata,
        "model": run.model,
        "work_folder": run.work_folder,
    }


def emits(text: str, run: Run) -> None:
    run.emit("tool.started", tool="search", preview=text)
    run.emit("a.b_c.d1", text=text, numbers=[1, 2], nothing=None)


def counts_tokens(_: str, run: Run) -> str:
    run.usage(input_tokens=1, output_tokens=1)
    run.usage(input_tokens=10, output_tokens=5)
    return "counted"


def takes_options(_: str, run: Run, greeting: str = "hello", *, times: int = 1) -> str:
    assert run.run_id
    return greeting * times


def takes_run_by_name(_: str, *, run: Run) -> str:
    return run.run_id


def emits_from_threads(text: str, run: Run) -> None:
    def emit(thread: int) -> None:
        for number in range(int(text)):
            run.emit("thread.spoke", thread=thread, number=number, filling="x" * (number % 3000))

    threads = [threading.Thread(target=emit, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def generates(text: str) -> Iterator[str | dict[str, Any]]:
    yield "you "
    yield {"event": "tool.started", "tool": "ear", "preview": text}
    yield "said "
    yield {"event": "message.delta", "delta": text}


def generates_and_returns(_: str) -> Generator[str, None, dict[str, int]]:
    yield "thinking"
    return {"answer": 42}


def generates_half_a_pair(_: str) -> Iterator[str]:
    yield "\ud83d"
    yield "\ude00 \0 \n \x7f é"


def generates_much(text: str) -> Iterator[str]:
    for _ in range(int(text)):
        yield "twenty bytes of text"


def yields_a_number(_: str) -> Iterator[Any]:
    yield "one"
    yield 2


async def awaits(text: str, run: Run) -> str:
    import asyncio

    await asyncio.sleep(0)
    run.emit("message.delta", delta="async")
    return f"awaited {text}"


async def generates_async(text: str) -> AsyncIterator[str]:
    for word in text.split():
        yield word


class Words:
    """An iterator of its own making, for `async for`."""

    def __init__(self, text: str) -> None:
        self._words = iter(text.split())

    def __aiter__(self) -> "Words":
        return self

    async def __anext__(self) -> str:
        for word in self._words:
            return word
        raise StopAsyncIteration


def returns_an_async_iterator(text: str) -> Words:
    return Words(text)


def returns_an_iterator(text: str) -> Iterator[str]:
    return map(str.upper, text.split())


def _loud(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **named: Any) -> Any:
        return function(*args, **named)

    return wrapper


decorated = _loud(generates_async)
partial = functools.partial(takes_options, greeting="ho ", times=3)


class Callable_:
    """An agent that is an object."""

    def __call__(self, text: str) -> Iterator[str]:
        yield from text.split()

    def method(self, text: str, run: Run) -> str:
        return f"{run.run_id} {text}"


instance = Callable_()
