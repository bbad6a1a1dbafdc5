"""Does the rows: each load against each of its servers in turn, in a client process of its own."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from ..outcome import CommandError
from .job import Result
from .rows import Row
from .servers import Server

JOB_S = 600.0


@dataclass(slots=True)
class Measured:
    """What came of one row: samples by server, and why there are none where it could not be measured."""

    row: Row
    results: dict[str, Result] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)


class JobFailed(Exception):
    """The client could not do its job; the message is its reason."""


class Bench:
    """Enter it, `measure` rows, leave: no server of it is left then."""

    def __init__(self, folder: Path, quick: bool, progress: Callable[[str], None]) -> None:
        self._folder = folder
        self._quick = quick
        self._progress = progress
        self._servers: dict[str, Server] = {}
        self._stack = ExitStack()

    def __enter__(self) -> "Bench":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def measure(self, rows: Iterable[Row]) -> list[Measured]:
        """All of them, in this order."""
        return [self._measure(row) for row in rows]

    def _measure(self, row: Row) -> Measured:
        measured = Measured(row)
        rounds = 1 if self._quick else row.rounds
        for number in range(1, rounds + 1):
            for kind in row.servers:
                if kind not in measured.problems:
                    self._progress(f"{row.name}: {kind}, round {number} of {rounds}")
                    self._do(measured, kind)
        return measured

    def _do(self, measured: Measured, kind: str) -> None:
        row = measured.row
        try:
            result = do_job(row.job, self._server(kind), row.quick if self._quick else row.sizes)
        except (JobFailed, CommandError) as failure:
            measured.problems[kind] = str(failure)
            return
        join(measured.results.setdefault(kind, {}), result)

    def _server(self, kind: str) -> Server:
        if kind not in self._servers:
            self._servers[kind] = Server(kind, self._folder / kind)
            self._stack.callback(self._servers[kind].close)
        return self._servers[kind]


def do_job(name: str, server: Server, sizes: Mapping[str, float]) -> Result:
    """Have a new client process do it. Raises `JobFailed`."""
    host, port = server.address
    asked = {"name": name, "host": host, "port": port, "root": server.root, "sizes": dict(sizes)}
    try:
        client = subprocess.run(
            [sys.executable, "-P", "-m", "runward.bin.benching.client"],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            timeout=JOB_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise JobFailed(f"the client was not done after {JOB_S:g} s") from error
    if client.returncode != 0:
        raise JobFailed(client.stderr.strip()[-600:] or f"the client ended with {client.returncode}")
    result: Result = json.loads(client.stdout)
    return result


def join(to: Result, more: Result) -> None:
    """Add the samples of another round, name by name."""
    for name, samples in more.items():
        to.setdefault(name, []).extend(samples)
