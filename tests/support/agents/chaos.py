"""An agent that counts aloud until its time is over, and then ends in the way that was asked for."""

import json
import os
import signal
import time

from runward.actors.run import Run


def counts(text: str, run: Run) -> int:
    """TEXT is JSON: for how many seconds, how long between two numbers, and which end."""
    plan = json.loads(text)
    over = time.monotonic() + plan["lasts_s"]
    said = 0
    while time.monotonic() < over and not run.interrupted.wait(plan["pause_s"]):
        said += 1
        run.emit("test.count", n=said)
    if not run.interrupted.is_set():
        _end(plan["end"])
    return said


def _end(end: str) -> None:
    match end:
        case "exception":
            raise LookupError("as planned")
        case "exit_code":
            os._exit(3)
        case "signal":
            os.kill(os.getpid(), signal.SIGSEGV)
