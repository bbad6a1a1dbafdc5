"""Runs one command after another, and ends the one that runs when we are told to end."""

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from typing import BinaryIO

GRACE_S = 15.0  # tests that are interrupted have processes of their own to end


def run(
    command: Sequence[str], cwd: str, timeout_s: float | None = None, output: BinaryIO | None = None
) -> int:
    """Its exit code. Raises TimeoutExpired when it took too long, after ending it.

    What it prints is seen, or goes to `output`.

    It gets a process group of its own, so that it hears of a ctrl-C once and from us, whether that came from
    the terminal or by `kill`.
    """
    child = subprocess.Popen(
        command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=output, process_group=0
    )
    try:
        return child.wait(timeout_s)
    except BaseException:
        end(child)
        raise


def end(child: subprocess.Popen[bytes]) -> None:
    """Interrupt it, give it its grace, kill what is left of its group. A second ctrl-C ends the grace."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGINT)
    try:
        with suppress(subprocess.TimeoutExpired):
            child.wait(GRACE_S)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
