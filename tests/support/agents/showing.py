"""Agents whose runs look like work, for the pictures in docs/."""

import time
from collections.abc import Iterator

from runward import Run


def researcher(text: str, run: Run) -> str:
    """Thinks, uses tools, tells what it found, and works on until it is stopped."""
    run.emit(
        "reasoning.delta",
        delta=f"The question is about {text}. The release notes come first, then the forum.",
    )
    for tool, preview, took_s in (
        ("web_search", f"{text} changelog 2026", 0.412),
        ("read_page", "https://example.org/releases/4.2", 0.208),
        ("read_page", "https://forum.example.org/t/memory-growth/811", 0.095),
    ):
        run.emit("tool.started", tool=tool, preview=preview)
        run.emit("tool.completed", tool=tool, duration=took_s, error=False)
    for line in (
        "Version 4.2 keeps every parsed page in its cache.\n",
        "Three people saw their memory grow by 40 MB an hour;\n",
        "setting cache_pages = 200 ended that for two of them.\n\n",
        "Now comparing with what this machine shows ",
    ):
        run.emit("message.delta", delta=line)
    while not run.interrupted.wait(0.4):
        run.emit("message.delta", delta=".")
    return "stopped"


def gardener(_: str, run: Run) -> str:
    """Wants to remove something, and asks first."""
    run.emit(
        "message.delta",
        delta="The old build folders take 14 GB. I would remove those that are older than a month.\n",
    )
    run.emit("tool.started", tool="shell", preview="du -sh builds/*")
    run.emit("tool.completed", tool="shell", duration=1.3, error=False)
    choice = run.approve("May I run this command?", timeout_s=900, command="rm -rf builds/2025-*")
    return f"answered: {choice}"


def indexer(_: str, run: Run) -> Iterator[str]:
    """Takes more and more memory, by steps."""
    held = []
    while not run.interrupted.wait(1.5):
        held.append(bytearray(b"x") * (6 << 20))
        yield f"{len(held)} shards\n"
        if len(held) % 5 == 0:
            held.clear()


def busy(_: str, run: Run) -> Iterator[str]:
    """Works for a third of its time, and says so often."""
    while not run.interrupted.is_set():
        until = time.thread_time() + 0.05
        while time.thread_time() < until:
            pass
        yield "step\n"
        run.interrupted.wait(0.1)
