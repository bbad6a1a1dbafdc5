"""Agents that take long, and what they do when they are asked to end."""

# ruff: noqa: T201  # what an agent prints is a part of what is tested

import asyncio
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from runward.actors.run import Interrupted, Run


def polls(_: str, run: Run) -> str:
    run.emit("message.delta", delta="waiting")
    run.interrupted.wait()
    return "saw it"


def checks(_: str, run: Run) -> str:
    run.emit("message.delta", delta="waiting")
    while True:
        time.sleep(0.001)
        run.check()


def raises_when_asked(_: str, run: Run) -> str:
    run.emit("message.delta", delta="waiting")
    run.interrupted.wait()
    raise ConnectionError("the line was cut")


def exits_when_asked(text: str, run: Run) -> str:
    run.emit("message.delta", delta="waiting")
    run.interrupted.wait()
    sys.exit(int(text))


def generates(_: str) -> Iterator[str]:
    try:
        while True:
            yield "."
            time.sleep(0.001)
    finally:
        print("closed")


def generates_and_will_not_close(_: str) -> Iterator[str]:
    while True:
        try:
            yield "."
        except GeneratorExit:
            pass


async def awaits(_: str, run: Run) -> None:
    try:
        run.emit("message.delta", delta="waiting")
        await asyncio.Event().wait()
    finally:
        print("cancelled")


async def answers_when_cancelled(_: str, run: Run) -> str:
    run.emit("message.delta", delta="waiting")
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return "as far as I got"
    return ""


async def cancels_itself(_: str) -> None:
    asyncio.current_task().cancel()  # type: ignore[union-attr]
    await asyncio.sleep(0)


async def generates_async(_: str) -> AsyncIterator[str]:
    try:
        while True:
            yield "."
            await asyncio.sleep(0.001)
    finally:
        print("closed")


async def blocks_the_loop(_: str, run: Run) -> None:
    try:
        run.emit("message.delta", delta="waiting")
        time.sleep(1000)  # noqa: ASYNC251  # the fault that it is there for
    finally:
        print("cleaned up")


async def has_a_busy_neighbour(_: str, run: Run) -> None:
    async def block() -> None:
        run.emit("message.delta", delta="waiting")
        time.sleep(1000)  # noqa: ASYNC251  # the fault that it is there for

    neighbour = asyncio.create_task(block())
    try:
        await asyncio.Event().wait()
    finally:
        print("cleaned up")
    await neighbour


def sleeps(_: str, run: Run) -> None:
    """Deaf to interrupts, but in Python code: SIGTERM gets through, and once."""
    try:
        run.emit("message.delta", delta="waiting")
        time.sleep(1000)
    finally:
        run.emit("message.delta", delta="unwinding")
        try:
            signal.sigtimedwait([], 0.2)
        finally:
            print("unwound")


def swallows_exceptions(_: str, run: Run) -> None:
    while True:
        try:
            run.emit("message.delta", delta="waiting")
            time.sleep(1000)
        except Exception:  # noqa: BLE001  # that is what it is for
            continue


def swallows_everything(_: str, run: Run) -> str:
    try:
        run.emit("message.delta", delta="waiting")
        time.sleep(1000)
    except Interrupted as why:
        return f"caught: {why}"
    return "never"


def has_its_own_handler(_: str, run: Run) -> str:
    gone = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: gone.set())
    run.emit("message.delta", delta="waiting")
    gone.wait()
    return "by my own handler"


def tells_a_worker(_: str, run: Run) -> None:
    """A worker that polls `interrupted` learns of SIGTERM too."""
    worker = threading.Thread(target=lambda: print(f"worker: {run.interrupted.wait(20)}"))
    worker.start()
    run.emit("message.delta", delta="waiting")
    threading.Event().wait()


def floods(_: str) -> Iterator[str]:
    """Emits without end; sooner or later it blocks on a warden that does not read."""
    try:
        while True:
            yield "x" * 5000
    finally:
        print("cleaned up")


def mixes(text: str, run: Run) -> dict[str, Any]:
    """Emits long events until asked to end, and says how many."""
    made = 0
    while not run.interrupted.is_set():
        run.emit("long.event", number=made, filling="x" * int(text))
        made += 1
    return {"made": made}
