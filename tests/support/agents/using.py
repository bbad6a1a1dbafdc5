"""One agent that uses what its limits, its log and its stacks are about: output, time, CPU, threads, descriptors.

Whoever is in the middle of its work says `ready`.
"""

import ctypes
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from runward.actors.run import Run

LONG_S = 3600.0


def use(text: str, run: Run) -> Any:
    """Do what the first word says, with the rest."""
    what, _, rest = text.partition(" ")
    return WAYS[what](rest, run)


# ── output ────────────────────────────────────────────────────────────────────────────────────────────────────────


def says(text: str, _: Run) -> None:
    """TEXT on stdout, and on stderr after it."""
    sys.stdout.write(f"{text}\n")
    sys.stderr.write(f"{text}, complained\n")


def counts(text: str, _: Run) -> None:
    """A line for each number."""
    for number in range(int(text)):
        print(number)  # noqa: T201


def writes_bytes(text: str, _: Run) -> None:
    os.write(1, bytes.fromhex(text))


def floods_stdout(_: str, run: Run) -> None:
    """As fast as it is read."""
    run.emit("message.delta", delta="ready")
    while True:
        os.write(1, b"x" * 65_536)


def floods_events(_: str, run: Run) -> None:
    while True:
        run.emit("message.delta", delta="x" * 1000)


def prints_now_and_then(_: str, run: Run) -> None:
    """One line when it begins, another once it is interrupted."""
    sys.stdout.write("first\n")
    run.emit("message.delta", delta="ready")
    run.interrupted.wait()
    sys.stdout.write("second\n")


def leaves_a_writer(_: str, run: Run) -> None:
    """Its child goes on writing to stdout when it is gone."""
    begun, begins = os.pipe()
    if os.fork() == 0:
        while True:
            os.write(1, b"orphan\n" * 100)
            os.write(begins, b"x")
    os.read(begun, 1)
    os.close(begun)
    run.emit("message.delta", delta="ready")


# ── descriptors ───────────────────────────────────────────────────────────────────────────────────────────────────


def closes_all(_: str, run: Run) -> None:
    """Everything but its link."""
    link = (vars(run)["_channel"]._socket.fileno(), vars(run)["_channel"]._up_fd)
    for number in {*range(3, 64)} - {*link}:
        try:
            os.close(number)
        except OSError:
            continue
    _hang(run)


def scribbles(_: str, run: Run) -> None:
    """Writes into every pipe that it finds, without end, but never waits for a reader."""
    pipes = [number for number in range(3, 64) if _leads_to(number).startswith("pipe:")]
    for number in pipes:
        os.set_blocking(number, False)
    run.emit("message.delta", delta="ready")
    while True:
        for number in pipes:
            try:
                os.write(number, b"\x1b[2J\x00scribble\n" * 100)
            except OSError:
                continue


def lists_files(_: str, __: Run) -> list[str]:
    return [_leads_to(int(number)) for number in os.listdir("/proc/self/fd")]


def _leads_to(number: int) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{number}")
    except OSError:
        return ""


# ── hanging ───────────────────────────────────────────────────────────────────────────────────────────────────────


def sleeps(_: str, run: Run) -> None:
    _hang(run)


def hangs_in_c(_: str, run: Run) -> None:
    """Holds the interpreter's lock."""
    run.emit("message.delta", delta="ready")
    sum(itertools.repeat(0))


def hangs_in_a_thread(_: str, run: Run) -> None:
    threading.Thread(target=sleeps_in_a_thread, args=(run,), daemon=True).start()
    threading.Event().wait()


def sleeps_in_a_thread(run: Run) -> None:
    _hang(run)


def handles_the_signal(_: str, run: Run) -> None:
    signal.signal(signal.SIGURG, lambda *_: None)
    _hang(run)


def becomes_another(_: str, run: Run) -> None:
    """The program sleep(1), which knows no Python."""
    run.emit("message.delta", delta="ready")
    os.execvp("sleep", ["sleep", str(LONG_S)])


def stops_itself(_: str, run: Run) -> None:
    run.emit("message.delta", delta="ready")
    os.kill(os.getpid(), signal.SIGSTOP)


def dies_in_the_middle(_: str, run: Run) -> None:
    """Of a fault, a moment after it said that it is ready."""
    run.emit("message.delta", delta="ready")
    ctypes.string_at(0)


def _hang(run: Run) -> None:
    run.emit("message.delta", delta="ready")
    time.sleep(LONG_S)


# ── CPU time ──────────────────────────────────────────────────────────────────────────────────────────────────────


def burns_in_children(_: str, __: Run) -> None:
    """Each for a tenth of a second, one after another."""
    while True:
        subprocess.run([sys.executable, "-c", _BURN], check=False)


def burns_in_an_orphan(_: str, run: Run) -> None:
    if os.fork() == 0:
        os.setsid()
        sum(itertools.repeat(0))
    _hang(run)


def talks(text: str, run: Run) -> str:
    """So many events, one each tenth of a second."""
    for number in range(int(text)):
        run.emit("message.delta", delta=str(number))
        time.sleep(0.1)
    return "done"


_BURN = "import time\nwhile time.process_time() < 0.1: pass"

WAYS: dict[str, Callable[[str, Run], Any]] = {
    way.__name__: way
    for way in (
        *(says, counts, writes_bytes, floods_stdout, floods_events, prints_now_and_then, leaves_a_writer),
        *(closes_all, scribbles, lists_files),
        *(sleeps, hangs_in_c, hangs_in_a_thread, handles_the_signal, becomes_another, stops_itself),
        *(dies_in_the_middle, burns_in_children, burns_in_an_orphan, talks),
    )
}
