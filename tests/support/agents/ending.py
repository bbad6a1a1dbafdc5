"""Agents that end by themselves, well or badly."""

import os
import subprocess
import sys
import threading

from runward.actors.run import Run


def raises(text: str) -> None:
    sys.stderr.write("on stderr before the end\n")
    raise LookupError(text)


def leaves(text: str) -> None:
    """Is gone without a word, with this exit code."""
    os._exit(int(text))


def exits(text: str) -> None:
    """Leaves as a program does, with this exit code."""
    sys.exit(int(text))


def dies(text: str) -> None:
    """Of this signal."""
    os.kill(os.getpid(), int(text))


def lingers(text: str) -> str:
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
    return "done"


def wants_more(text: str, run: Run, more: str) -> None:
    """Can't be called with an input alone."""
