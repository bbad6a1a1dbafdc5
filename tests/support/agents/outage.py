"""An agent that goes on when a file is there, so that a test says when."""

import time
from pathlib import Path

from runward.actors.run import Interrupted, Run

LONG_S = 3600.0


def waits(text: str, run: Run) -> str:
    """Waits for the file TEXT, then says as many numbers as its metadata wants."""
    run.emit("message.delta", delta="ready")
    while not Path(text).exists():
        time.sleep(0.005)
    for n in range(int(run.metadata.get("says", "0"))):
        run.emit("test.said", n=n)
    return "went"


def notes(_: str, run: Run) -> None:
    """Says that it was asked to end, and goes on whatever comes then."""
    run.emit("message.delta", delta="ready")
    run.interrupted.wait()
    run.emit("test.asked")
    while True:
        try:
            time.sleep(LONG_S)
        except Interrupted:
            continue


def fails(text: str, run: Run) -> str:
    """Raises, unless the file TEXT is there."""
    if not Path(text).exists():
        raise LookupError(f"no {Path(text).name}")
    run.emit("message.delta", delta="at last")
    return "at last"


def resumes(_: str, run: Run) -> str:
    """Writes to its notes, in its work folder, and raises once; the next attempt writes more to the same file."""
    notes = Path("notes")
    done = notes.exists()
    with notes.open("a") as file:
        file.write("again" if done else "begun ")
    if not done:
        raise LookupError("the rest")
    return notes.read_text()
