"""A connection to one certain facade of several that accept on the same socket.

Which of them takes a connection is the kernel's choice, so all others are halted until this one has it.
"""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from .client import Answer, Stream
from .server import Server
from .waiting import AT_LAST_S


class Pinned:
    """One connection, kept open for one request after another."""

    def __init__(self, connection: HTTPConnection) -> None:
        self._connection = connection

    def send(self, method: str, path: str, body: object = None, **headers: str) -> None:
        """Send a request; `answer` or `stream` takes what comes."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        data = None if body is None else json.dumps(body)
        self._connection.request(method, path, data, {"Content-Type": "application/json"} | named)

    def answer(self) -> Answer:
        with self._connection.getresponse() as response:
            return Answer(response.status, response.headers, response.read())

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        self.send(method, path, body, **headers)
        return self.answer()

    def stream(self, run_id: str, **headers: str) -> Stream:
        """The run's event stream; nothing else can be asked here any more."""
        self.send("GET", f"/v1/runs/{run_id}/events", **headers)
        return Stream(self._connection.getresponse())

    def start(self, body: Any, **headers: str) -> str:
        """Start a run; its id."""
        answer = self.ask("POST", "/v1/runs", body, **headers)
        assert answer.status == 202, answer.body
        run_id: str = answer.json["run_id"]
        return run_id


@contextmanager
def pinned(server: Server, index: int) -> Iterator[Pinned]:
    """A connection that facade `index` holds."""
    ours = f"runward: facade {index}"
    others = [each.pid for each in server.members("facade") if each.title != ours]
    connection = HTTPConnection(urlsplit(server.url).netloc, timeout=AT_LAST_S)
    try:
        _signal(others, signal.SIGSTOP)
        try:
            assert Pinned(connection).ask("GET", "/health").status == 200
        finally:
            _signal(others, signal.SIGCONT)
        yield Pinned(connection)
    finally:
        connection.close()


def _signal(pids: list[int], number: int) -> None:
    for pid in pids:
        os.kill(pid, number)
