"""A small HTTP client of the tests' own, so that nothing of the code under test vouches for itself.

One connection for each request, closed with it. Everything has a deadline; nothing is retried.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPMessage, HTTPResponse
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from .waiting import AT_LAST_S

ENDS = frozenset({"run.completed", "run.failed", "run.cancelled"})
NO_HEADERS: Mapping[str, str] = {}

Json = dict[str, Any]


class Answer(NamedTuple):
    """A whole response."""

    status: int
    headers: HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> Json:
        """The error object of an answer that says no."""
        error: Json = self.json["error"]
        return error


class Frame(NamedTuple):
    """One event as it came: the `id:` line, the `data:` line, and whatever else stood in the frame."""

    id: str
    event: Json
    more: list[str]


class BrokenOff(ConnectionError):
    """A stream ended, and the server had not said that it would."""


class Stream:
    """An open event stream. `comments` and `retry` gather what came beside the events."""

    def __init__(self, response: HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.comments: list[str] = []
        self.retry: list[str] = []
        self._response = response

    def __iter__(self) -> Iterator[Frame]:
        """Frames, to the end of the stream. Raises `BrokenOff`; fails if nothing at all comes for a while."""
        lines: list[str] = []
        while line := self._line():
            text = line.rstrip("\n")
            if text:
                lines.append(text)
                continue
            frame = self._frame(lines)
            lines = []
            if frame is not None:
                yield frame
        if "stream closed" not in self.comments:
            raise BrokenOff(f"after the comments {self.comments}")

    def body(self) -> bytes:
        """All of it, where it is no stream but an answer that says why not."""
        return self._response.read()

    def until(self, event: str) -> Frame:
        """The next frame with this event."""
        for frame in self:
            if frame.event["event"] == event:
                return frame
        raise AssertionError(f"the stream ended without {event}")

    def until_comment(self, text: str) -> None:
        """Read on to this comment."""
        while line := self._line():
            if line.rstrip("\n") == f": {text}":
                return
        raise AssertionError(f"the stream ended without the comment {text!r}")

    def rest(self) -> list[Frame]:
        """All that is still to come."""
        return list(self)

    def _line(self) -> str:
        try:
            return self._response.readline().decode()
        except TimeoutError as error:
            raise AssertionError(f"nothing came on the stream for {AT_LAST_S:g} s") from error
        except (HTTPException, ConnectionError) as error:
            raise BrokenOff(str(error)) from error

    def _frame(self, lines: list[str]) -> Frame | None:
        fields: dict[str, str] = {}
        more: list[str] = []
        for line in lines:
            name, _, text = line.partition(": ")
            if line.startswith(":"):
                self.comments.append(line.removeprefix(": "))
            elif name == "retry":
                self.retry.append(text)
            elif name in ("id", "data"):
                fields[name] = text
            else:
                more.append(line)
        return Frame(fields.get("id", ""), json.loads(fields["data"]), more) if "data" in fields else None


class Client:
    """One server as the holder of one key sees it (None: without)."""

    def __init__(self, url: str, key: str | None = None) -> None:
        self._address = urlsplit(url).netloc
        self._headers = {"Connection": "close"} | ({"Authorization": f"Bearer {key}"} if key else {})

    def ask(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] = NO_HEADERS
    ) -> Answer:
        """The answer. `body` is sent as JSON, bytes as they are."""
        with self._open(method, path, body, headers) as response:
            return Answer(response.status, response.headers, response.read())

    def say(self, request: bytes) -> Answer:
        """The answer to these very bytes."""
        connection = HTTPConnection(self._address, timeout=AT_LAST_S)
        try:
            connection.connect()
            connection.sock.sendall(request)
            with HTTPResponse(connection.sock) as response:
                response.begin()
                return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    @contextmanager
    def stream(
        self, run_id: str, query: str = "", headers: Mapping[str, str] = NO_HEADERS
    ) -> Iterator[Stream]:
        """The run's event stream, open until the block ends."""
        with self._open("GET", f"/v1/runs/{run_id}/events{query}", None, headers) as response:
            yield Stream(response)

    @contextmanager
    def opened(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] = NO_HEADERS
    ) -> Iterator[Stream]:
        """Any stream, open until the block ends."""
        with self._open(method, path, body, headers) as response:
            yield Stream(response)

    def start(self, agent: str, text: str = "go", **more: object) -> str:
        """Start a run; its id."""
        answer = self.ask("POST", "/v1/runs", {"agent": agent, "input": text, **more})
        assert answer.status == 202, answer.body
        run_id: str = answer.json["run_id"]
        return run_id

    def run(self, run_id: str) -> Json:
        """The run object."""
        answer = self.ask("GET", f"/v1/runs/{run_id}")
        assert answer.status == 200, answer.body
        run: Json = answer.json
        return run

    def events(self, run_id: str) -> list[Json]:
        """All events of a run, once it is over."""
        with self.stream(run_id) as stream:
            assert stream.status == 200, stream.body()
            events = [frame.event for frame in stream]
        assert events
        assert events[-1]["event"] in ENDS, events
        return events

    def ended(self, run_id: str) -> Json:
        """The run object, once the run is over."""
        self.events(run_id)
        return self.run(run_id)

    def begun(self, agent: str, text: str = "go", **more: object) -> str:
        """Start a run; its id, once the agent has said something: it is in the middle of its work."""
        run_id = self.start(agent, text, **more)
        with self.stream(run_id) as stream:
            stream.until("message.delta")
        return run_id

    def stopped(self, run_id: str, **body: object) -> Json:
        """The run object, once the run is over by a stop with this body."""
        answer = self.stop(run_id, **body)
        assert (answer.status, answer.json) == (200, {"run_id": run_id, "status": "stopping"}), answer.body
        return self.ended(run_id)

    def stop(self, run_id: str, **body: object) -> Answer:
        return self.ask("POST", f"/v1/runs/{run_id}/stop", body)

    def kill(self, run_id: str, **body: object) -> Answer:
        return self.ask("POST", f"/v1/runs/{run_id}/kill", body)

    def is_healthy(self) -> bool:
        """Whether `/health` is green; False also where nobody answers."""
        try:
            return self.ask("GET", "/health").status == 200
        except OSError:
            return False

    @contextmanager
    def _open(
        self, method: str, path: str, body: object, headers: Mapping[str, str]
    ) -> Iterator[HTTPResponse]:
        sent = self._headers | dict(headers)
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        connection = HTTPConnection(self._address, timeout=AT_LAST_S)
        try:
            connection.request(method, path, data, sent)
            with connection.getresponse() as response:
                yield response
        finally:
            connection.close()
