"""Agents that ask people and take guidance; what the first word of the input says, with the rest."""

import threading
from collections.abc import Iterator
from typing import Any

from runward import Run, current_run


def ask(text: str, run: Run) -> Any:
    """One question; returns what was chosen, and what was said with it."""
    what, _, rest = text.partition(" ")
    return WAYS[what](rest, run)


def _told(choice: Any) -> dict[str, Any]:
    return {"choice": choice, "note": choice.note, "timed_out": choice.timed_out}


def once(prompt: str, run: Run) -> Any:
    """With all that a question may have."""
    return _told(run.approve(prompt, choices=["once", "deny"], timeout_s=3600, command="rm -rf x"))


def briefly(seconds: str, run: Run) -> Any:
    """With a deadline."""
    return _told(run.approve("quick", timeout_s=float(seconds)))


def till_denied(_: str, run: Run) -> list[list[str]]:
    """One question after another, until one is denied: what each was, and what was said with its answer."""
    heard: list[list[str]] = []
    choice = None
    while choice != "deny":
        question = str(len(heard))
        choice = run.approve(question)
        heard.append([question, choice.note or ""])
    return heard


def till_enough(_: str, run: Run) -> list[str]:
    """Guidance until it is "enough"."""
    heard: list[str] = run.steering()
    run.emit("message.delta", delta="ready")
    while "enough" not in heard:
        run.check()
        heard += run.steering()
        run.interrupted.wait(0.01)
    return heard


def twice(_: str, run: Run) -> list[str]:
    """Two questions at once; what was chosen for each."""
    chosen = ["", ""]

    def question(number: int) -> None:
        chosen[number] = run.approve(f"question {number}")

    threads = [threading.Thread(target=question, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return chosen


def many(count: str, run: Run) -> str:
    """So many questions at once; what was said to one that was too many."""
    refusals: list[str] = []

    def question() -> None:
        try:
            run.approve("one of many")
        except ValueError as error:
            refusals.append(str(error))
            run.emit("message.delta", delta="refused")

    threads = [threading.Thread(target=question) for _ in range(int(count))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return refusals[0] if refusals else ""


def wrongly(_: str, run: Run) -> str:
    """A choice that there is not."""
    try:
        run.approve("?", choices=["maybe"])
    except ValueError as error:
        return str(error)
    return "answered"


def deep(prompt: str, _: Run) -> str:
    """Code that was not handed its run."""
    return current_run().approve(prompt)


def heeds(count: str, run: Run) -> list[str]:
    """So many words of guidance."""
    heard: list[str] = run.steering()
    run.emit("message.delta", delta="ready")
    while len(heard) < int(count):
        run.check()
        heard += run.steering()
        run.interrupted.wait(0.01)
    return heard


def heedless(_: str, run: Run) -> None:
    """None of it."""
    run.emit("message.delta", delta="ready")
    run.interrupted.wait()


WAYS = {
    "once": once,
    "briefly": briefly,
    "till_denied": till_denied,
    "till_enough": till_enough,
    "twice": twice,
    "many": many,
    "wrongly": wrongly,
    "deep": deep,
    "heeds": heeds,
    "heedless": heedless,
}


async def at_leisure(prompt: str, run: Run) -> str:
    """Asks while its loop goes on."""
    import asyncio  # which the others here do not want

    question = asyncio.create_task(run.approve_async(prompt))
    await asyncio.sleep(0)
    run.emit("message.delta", delta="meanwhile")
    return await question


def between_words(prompt: str, run: Run) -> Iterator[str]:
    """A generator that asks."""
    yield "before "
    yield run.approve(prompt)


class Talk:
    """A conversation that is steered."""

    def __init__(self, stream_delta_callback: Any) -> None:
        self.say = stream_delta_callback
        self.heard = threading.Event()
        self.guidance = ""

    def run_conversation(self, user_message: str) -> dict[str, Any]:
        self.say("ready")
        self.heard.wait()
        return {"final_response": f"{user_message}: {self.guidance}"}

    def steer(self, text: str) -> bool:
        self.guidance = text
        if text != "no":
            self.heard.set()
        return text != "no"

    def interrupt(self, _: str) -> None:
        self.heard.set()
