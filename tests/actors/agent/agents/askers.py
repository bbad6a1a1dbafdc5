"""Agents that ask people, and that are told things."""

import os
import threading
from collections.abc import Callable
from typing import Any

import runward
from runward import Run


def asks(text: str, run: Run) -> str:
    return run.approve(text)


def asks_in_a_thread(text: str, run: Run) -> None:
    """Says what its thread met, which it waits for whatever comes."""
    over = threading.Event()

    def question() -> None:
        try:
            met = str(run.approve(text))
        except runward.Interrupted as error:
            met = f"Interrupted: {error}"
        run.emit("message.delta", delta=met)
        over.set()

    threading.Thread(target=question).start()
    try:
        over.wait()
    finally:
        over.wait()


def asks_on(text: str, run: Run) -> str:
    """Swallows what it can and asks again."""
    try:
        return run.approve(text)
    except runward.Interrupted:
        return run.approve("again")


def asks_nonsense(_: str, run: Run) -> None:
    run.approve("?", about=object())


def asks_by_a_fork(text: str, run: Run) -> str:
    """Its child says why it could not."""
    ours, theirs = os.pipe()
    if os.fork() == 0:
        try:
            run.approve(text)
        except RuntimeError as error:
            os.write(theirs, str(error).encode())
        finally:
            os._exit(0)
    os.wait()
    return os.read(ours, 1000).decode()


async def asks_at_leisure(text: str, run: Run) -> str:
    return await run.approve_async(text, why="because")


def hears(_: str, run: Run) -> list[str]:
    """Looks for what it was told only once it is interrupted."""
    run.emit("message.delta", delta="ready")
    run.interrupted.wait()
    return run.steering()


def listens(_: str, run: Run) -> list[str]:
    """Looks until it was told something."""
    heard = run.steering()
    run.emit("message.delta", delta="ready")
    while not heard:
        run.interrupted.wait(0.005)
        heard = run.steering()
    return heard


class Deaf:
    """Takes no guidance."""

    def __init__(self, stream_delta_callback: Callable[[str], None]) -> None:
        self.say = stream_delta_callback
        self.over = threading.Event()

    def run_conversation(self, user_message: str) -> dict[str, Any]:
        self.say("ready")
        self.over.wait()
        return {"final_response": user_message}

    def interrupt(self, _: str) -> None:
        self.over.set()


class Steered(Deaf):
    """Takes some."""

    def steer(self, text: str) -> bool:
        if text == "raise":
            raise RuntimeError("steer is broken")
        if text == "hang":
            self.over.wait()
        return text != "no"
