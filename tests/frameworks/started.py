"""The programs of `programs/`, started and ended."""

import os
import select
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

PROGRAMS = Path(__file__).parent / "programs"
LISTENING_S = 60.0


class Started(NamedTuple):
    """A program that listens."""

    url: str
    pid: int


@contextmanager
def started(
    python: str, program: str, *arguments: str, cwd: Path, variables: Mapping[str, str]
) -> Iterator[Started]:
    """Once it says where it listens. It has ended when the block has."""
    with (cwd / f"{program}.log").open("w") as log:
        process = subprocess.Popen(
            [python, str(PROGRAMS / f"{program}.py"), *arguments],
            cwd=cwd,
            env={**os.environ, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    with process:
        try:
            assert process.stdout is not None
            ready, _, _ = select.select([process.stdout], [], [], LISTENING_S)
            said = process.stdout.readline().strip() if ready else ""
            assert said.startswith("http://"), (cwd / f"{program}.log").read_text()[-2000:]
            yield Started(said, process.pid)
        finally:
            process.kill()


def free_port() -> int:
    """One that nobody has."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
