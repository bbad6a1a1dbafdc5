"""One agent that does what the first word of its input says, so that a server needs one zygote for all of it.

Whoever is in the middle of its work says `ready`.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from runward.actors.run import Run

LONG_S = 3600.0


def act(text: str, run: Run) -> Any:
    """Do what the first word says, with the rest."""
    what, _, rest = text.partition(" ")
    return WAYS[what](rest, run)


# ── ways to take a stop ───────────────────────────────────────────────────────────────────────────────────────────


def obeys(_: str, run: Run) -> str:
    """Ends when it is asked to, with what it has so far."""
    run.emit("message.delta", delta="ready")
    run.interrupted.wait()
    return "so far"


def endless(_text: str, _run: Run) -> Iterator[str]:
    """Says something for ever; a generator is closed at its next yield."""
    yield "ready"
    while True:
        time.sleep(0.01)
        yield "more"


def deaf(text: str, run: Run) -> None:
    """Does not look whether it was asked; SIGTERM reaches it, and it notes in the file TEXT that `finally` ran."""
    try:
        run.emit("message.delta", delta="ready")
        time.sleep(LONG_S)
    finally:
        Path(text).write_text("finally")


def stubborn(_: str, run: Run) -> None:
    """Neither looks nor lets SIGTERM through."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    run.emit("message.delta", delta="ready")
    while True:
        time.sleep(LONG_S)


def hears(_: str, run: Run) -> None:
    """Says that it was asked to end, and no more than that; SIGTERM does not get through."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    run.emit("message.delta", delta="ready")
    run.interrupted.wait()
    run.emit("test.heard")
    while True:
        time.sleep(LONG_S)


def freezes(_: str, run: Run) -> None:
    """Stops itself, as ctrl-Z would."""
    run.emit("message.delta", delta="ready")
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(LONG_S)


# ── ways to end ───────────────────────────────────────────────────────────────────────────────────────────────────


def answers(text: str, _: Run) -> str:
    return text


def tells(_: str, run: Run) -> Any:
    """Answers with what it was given beside its input, and says how much that cost."""
    run.usage(input_tokens=5, output_tokens=7)
    return {"instructions": run.instructions, "history": run.history, "metadata": run.metadata}


def spells(text: str, _: Run) -> Iterator[str]:
    """Says its text letter by letter."""
    yield from text


def recalls(_: str, run: Run) -> list[dict[str, Any]]:
    """Answers with the history that it was given."""
    return run.history


def raises(text: str, _: Run) -> None:
    sys.stderr.write("on stderr before the end\n")
    raise LookupError(text)


def leaves(text: str, _: Run) -> None:
    """Is gone without a word, with this exit code."""
    os._exit(int(text))


def exits(text: str, _: Run) -> None:
    """Leaves as a program does, with this exit code."""
    sys.exit(int(text))


def dies(text: str, _: Run) -> None:
    """Of this signal."""
    os.kill(os.getpid(), int(text))


def lingers(_text: str, _run: Run) -> str:
    """Returns, but has left a thread behind that never ends."""
    threading.Thread(target=threading.Event().wait).start()
    return "done"


def fathers(text: str, run: Run) -> str:
    """Leaves a daemon behind, in a session of its own and without a parent: `sleep TEXT`."""
    if os.fork() == 0:
        os.setsid()
        subprocess.Popen(["sleep", text])
        os._exit(0)
    os.wait()
    run.emit("message.delta", delta="ready")
    if run.metadata.get("then") == "wait":
        run.interrupted.wait()
    if run.metadata.get("then") == "hear":
        hears("", run)
    return "done"


WAYS: dict[str, Callable[[str, Run], Any]] = {
    way.__name__: way
    for way in (
        obeys,
        endless,
        deaf,
        stubborn,
        hears,
        freezes,
        answers,
        tells,
        spells,
        recalls,
        raises,
        leaves,
        exits,
        dies,
        lingers,
        fathers,
    )
}


def wants_more(text: str, run: Run, more: str) -> None:
    """No agent: it can't be called with an input alone."""
