"""Agents that fail, leave early, or leave something behind."""

# ruff: noqa: T201  # what an agent prints is a part of what is tested

import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runward.actors.run import Run

not_callable = 3


def raises(_: str) -> None:
    raise LookupError("nothing\nto be found")


def raises_after_a_delta(_: str) -> Iterator[str]:
    yield "so far"
    raise LookupError("no further")


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError


def raises_unprintable(_: str) -> None:
    raise Unprintable


def exits(text: str) -> None:
    sys.exit(eval(text))  # noqa: S307  # the test's own text


def takes_three(one: str, two: Any, three: Any) -> None:
    raise AssertionError


def takes_nothing() -> str:
    return "a string"


def makes_no_conversation(**_: Any) -> object:
    return object()


class NoConversation:
    """A class without run_conversation."""


def returns_an_object(_: str) -> object:
    return object()


def returns_too_much(text: str) -> str:
    return "x" * int(text)


def emits(text: str, run: Run) -> None:
    run.emit(text, field=1)


def emits_an_object(_: str, run: Run) -> None:
    run.emit("tool.started", tool="fine", preview=object())


def emits_a_stamp(_: str, run: Run) -> None:
    run.emit("tool.started", seq=1)


def leaves_a_thread(_: str) -> str:
    """A thread that ends only after its main function: a normal end waits for it."""
    done = threading.Event()

    def outlive() -> None:
        done.wait()
        print("the thread is done")

    threading.Thread(target=outlive).start()
    threading.Timer(0.05, done.set).start()
    return "returned"


def leaves_a_thread_for_ever(_: str) -> str:
    threading.Thread(target=time.sleep, args=(1000,)).start()
    atexit.register(print, "the exit handler ran")
    return "returned"


def leaves_work_for_the_end(_: str) -> str:
    atexit.register(print, "the exit handler ran")
    sys.stdout.write("no newline")
    return "returned"


def leaves_a_broken_exit_handler(_: str) -> str:
    atexit.register(lambda: 1 / 0)
    return "returned"


def forks_and_returns_twice(_: str) -> str:
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        return "parent"
    return "child"


def forks_a_child_to_terminate(_: str) -> int:
    pid = os.fork()
    if not pid:
        while True:  # short naps: a signal that comes just before a long one would not wake it
            time.sleep(0.01)
    os.kill(pid, signal.SIGTERM)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def replaces_stdout(_: str) -> None:
    sys.stdout = None


def leaves_a_temporary_folder(_: str) -> None:
    import tempfile

    folder = tempfile.TemporaryDirectory(dir=".")
    Path("kept").write_text(folder.name)
    leaves_a_temporary_folder.__dict__["folder"] = folder
