"""Runs one command after another, and ends the one that runs when we are told to end."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress

GRACE_S = 15.0  # tests that are interrupted have processes of their own to end


def run(
    command: Sequence[str], cwd: str, env: Mapping[str, str] | None = None, timeout_s: float | None = None
) -> int:
    """Its exit code; what it prints is seen. Raises TimeoutExpired when it took too long, after ending it.

    It gets a process group of its own, so that it hears of a ctrl-C once and from us, whether that came from
    the terminal or by `kill`.
    """
    child = subprocess.Popen(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, process_group=0)
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
