"""Runs commands, one after another or side by side, and ends those that run when we are told to end."""

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import BinaryIO

GRACE_S = 15.0  # tests that are interrupted have processes of their own to end

# The checkout's own code is what is checked, not what a caller has on its path; and what is not kept compiled is
# compiled anew by each of the several hundred servers that the tests start.
NOT_PASSED_ON = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")


def run(
    command: Sequence[str], cwd: str, timeout_s: float | None = None, output: BinaryIO | None = None
) -> int:
    """Its exit code. Raises TimeoutExpired when it took too long, after ending it.

    What it prints is seen, or goes to `output`.

    It gets a process group of its own, so that it hears of a ctrl-C once and from us, whether that came from
    the terminal or by `kill`.
    """
    (code,) = run_side_by_side([(command, output)], cwd, timeout_s)
    return code


def run_side_by_side(
    commands: Iterable[tuple[Sequence[str], BinaryIO | None]], cwd: str, timeout_s: float | None = None
) -> list[int]:
    """Their exit codes when all have ended; each command with its `output`, as `run` has it."""
    children: list[subprocess.Popen[bytes]] = []
    env = {name: text for name, text in os.environ.items() if name not in NOT_PASSED_ON}
    try:
        for command, output in commands:
            children.append(
                subprocess.Popen(
                    command,
                    cwd=cwd,
                    env=env,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    process_group=0,
                )
            )
        return [child.wait(timeout_s) for child in children]
    except BaseException:
        end(children)
        raise


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
