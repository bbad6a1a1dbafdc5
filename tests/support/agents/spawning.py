"""Agents that start runs below themselves: what they do is the first word of their input, the rest is what for."""

import json
import time
from collections.abc import Iterator
from typing import Any

from runward import Run, SpawnRefused


def act(text: str, run: Run) -> Any:
    """With children that are leaves or sleep."""
    word, _, rest = text.partition(" ")
    return ACTS[word](rest, run)


def tree(text: str, run: Run) -> Any:
    """With children like itself."""
    word, _, rest = text.partition(" ")
    return TREES[word](rest, run)


def parent(text: str, run: Run) -> Any:
    """The input: {"agent", "input", …}. Waits for the child, and tells its end."""
    asked = json.loads(text)
    child = run.spawn(**asked)
    end = child.wait()
    run.usage(input_tokens=1, output_tokens=2)
    return {"run_id": child.run_id, "status": end.status, "output": end.output, "error": end.error}


def leaf(text: str, run: Run) -> str:
    """Says what it was told, and counts tokens."""
    run.usage(input_tokens=10, output_tokens=20)
    return f"{text} {run.session_id == run.run_id} {run.instructions}"


def sleeper(text: str, run: Run) -> Iterator[str]:
    """Until it is stopped."""
    yield "asleep"
    run.interrupted.wait()


def leaver(text: str, run: Run) -> Any:
    """Returns at once, with children that sleep."""
    for _ in range(int(text)):
        run.spawn("sleeper", "x")
    return "left"


def crasher(text: str, run: Run) -> None:
    run.spawn("sleeper", "x")
    raise RuntimeError("crashed")


def stopper(text: str, run: Run) -> Any:
    """Stops its child, and lives on."""
    child = run.spawn("sleeper", "x")
    child.stop()
    end = child.wait()
    return [end.status, end.reason, child.ended]


def refused(text: str, run: Run) -> Any:
    """Why a spawn was refused: its code."""
    try:
        run.spawn(**json.loads(text))
    except SpawnRefused as refusal:
        return [refusal.code, str(refusal)]
    return "it was not"


def filler(text: str, run: Run) -> Any:
    """Spawns sleepers until it is refused one, and tells how many there were and why."""
    born = 0
    try:
        while True:
            run.spawn("sleeper", "x")
            born += 1
    except SpawnRefused as refusal:
        return [born, refusal.code]


def flooder(text: str, run: Run) -> str:
    """Wishes as fast as it can, past the library, and hears no answer to any of them."""
    line = b'{"spawn":"k","agent":"nobody","input":"x"}\n'
    for _ in range(100):
        run._channel.write(line * (int(text) // 100))
    return "flooded"


def descender(text: str, run: Run) -> Any:
    """One below the other, as deep as may be; the deepest tells why there is none below it."""
    try:
        end = run.spawn("tree", f"descender {int(text) + 1}").wait()
    except SpawnRefused as refusal:
        return [int(text), refusal.code, str(refusal)]
    return end.output


async def gatherer(text: str, run: Run) -> Any:
    """Some at once, and waits for all of them."""
    import asyncio

    children = await asyncio.gather(*(run.spawn_async("leaf", str(n)) for n in range(int(text))))
    ends = await asyncio.gather(*children)
    return [end.output for end in ends]


def grower(text: str, run: Run) -> None:
    """A tree that goes on growing: so many levels below, and at each of them one child after the other."""
    levels = int(text)
    run.emit("tree.level", level=levels)
    if levels == 0:
        while True:
            time.sleep(60)
    while True:
        try:
            run.spawn("tree", f"grower {levels - 1}")
        except SpawnRefused:
            time.sleep(0.05)


ACTS = {
    "parent": parent,
    "leaver": leaver,
    "crasher": crasher,
    "stopper": stopper,
    "refused": refused,
    "filler": filler,
    "gatherer": gatherer,
    "flooder": flooder,
}
TREES = {"descender": descender, "grower": grower}
