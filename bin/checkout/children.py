"""Runs commands, one after another or side by side, and ends those that run when we are told to end."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import BinaryIO

YIELDING = 10  # how much nicer is what runs beside others (nice(2))
GRACE_S = 15.0  # tests that are interrupted have processes of their own to end

# The checkout's own code is what is checked, not what a caller has on its path; and what is not kept compiled is
# compiled anew by each of the several hundred servers that the tests start.
NOT_PASSED_ON = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")


def run(command: Sequence[str], cwd: str) -> int:
    """Its exit code. What it prints is seen.

    It gets a process group of its own, so that it hears of a ctrl-C once and from us, whether that came from
    the terminal or by `kill`.
    """
    (code,) = run_side_by_side([(command, None)], cwd)
    return code


def run_side_by_side(
    commands: Iterable[tuple[Sequence[str], BinaryIO | None]], cwd: str, timeout_s: float | None = None
) -> list[int]:
    """Their exit codes when all have ended. What each prints is seen, or goes to its `output`.

    Raises TimeoutExpired when one took too long. Whatever is raised, all are ended first.
    """
    children: list[subprocess.Popen[bytes]] = []
    try:
        for command, output in commands:
            children.append(start(command, cwd, output))
        return [child.wait(timeout_s) for child in children]
    except BaseException:
        end(children)
        raise


@contextmanager
def beside(command: Sequence[str], cwd: str) -> Iterator[Callable[[], int]]:
    """It runs while the block does, on the time that others leave. Yields what waits for it, prints what it said and
    returns its exit code; where that was not called, it is ended with the block.
    """
    with tempfile.TemporaryFile() as output:
        child = start(command, cwd, output, YIELDING)

        def finish() -> int:
            code = child.wait()
            output.seek(0)
            print(output.read().decode(errors="replace"), end="", flush=True)
            return code

        try:
            yield finish
        finally:
            if child.poll() is None:
                end([child])


def start(
    command: Sequence[str], cwd: str, output: BinaryIO | None, niceness: int = 0
) -> subprocess.Popen[bytes]:
    env = {name: text for name, text in os.environ.items() if name not in NOT_PASSED_ON}
    return subprocess.Popen(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        process_group=0,
        preexec_fn=partial(os.nice, niceness) if niceness else None,  # nobody has started a thread here
    )


def end(children: Sequence[subprocess.Popen[bytes]]) -> None:
    """Interrupt them, give them their grace, kill what is left of their groups. A second ctrl-C ends the grace."""
    signal_groups(children, signal.SIGINT)
    until = time.monotonic() + GRACE_S
    try:
        for child in children:
            with suppress(subprocess.TimeoutExpired):
                child.wait(max(0.0, until - time.monotonic()))
    finally:
        signal_groups(children, signal.SIGKILL)
        for child in children:
            child.wait()


def signal_groups(children: Sequence[subprocess.Popen[bytes]], number: int) -> None:
    for child in children:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, number)
