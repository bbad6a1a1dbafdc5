"""A server that speaks the contract over a real socket and remembers what it was asked.

Its runs are lists of events that a script or a request adds to. It can break a stream off within a frame.
"""

import json
import re
import sys
import threading
from collections.abc import Callable
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY = "the-key"
ENDS = {"run.completed": "completed", "run.failed": "failed", "run.cancelled": "cancelled"}
PATIENCE_S = 20.0  # no wait in here is longer

Json = dict[str, Any]


class FakeRun:
    """One run: its events, and a condition that tells of new ones."""

    def __init__(self, run_id: str, body: Json) -> None:
        self.run_id = run_id
        self.body = body
        self.events: list[Json] = []
        self.news = threading.Condition()
        self.more: Json = {"output": None, "error": None, "reason": None, "exit": None}

    def emit(self, event: str, **fields: Any) -> None:
        with self.news:
            seq = len(self.events) + 1
            self.events.append(
                {"event": event, "run_id": self.run_id, "seq": seq, "timestamp": 1000.0 + seq, **fields}
            )
            self.more |= {name: fields[name] for name in self.more.keys() & fields.keys()}
            self.news.notify_all()

    @property
    def status(self) -> str:
        last = self.events[-1]["event"] if self.events else "run.queued"
        names = {"run.queued": "queued", "run.stopping": "stopping"}
        return ENDS.get(last) or names.get(last, "running")

    @property
    def ended(self) -> bool:
        return self.status in ENDS.values()

    def next(self, after: int) -> Json:
        """Event `after` + 1, once it is there."""
        with self.news:
            if not self.news.wait_for(lambda: len(self.events) > after, PATIENCE_S):
                raise AssertionError(f"event {after + 1} of {self.run_id} never came")
            return self.events[after]

    def document(self) -> Json:
        return {
            "object": "run",
            "run_id": self.run_id,
            "agent": self.body.get("agent", "echo"),
            "status": self.status,
            "created_at": 1000.0,
            "last_seq": len(self.events),
            "last_event": self.events[-1]["event"] if self.events else None,
            "process": {"pid": 4321},
            **self.more,
        }


Script = Callable[[FakeRun], None]


def echo(run: FakeRun) -> None:
    run.emit("run.started", pid=4321, agent="echo", attempt=1)
    run.emit("message.delta", delta=run.body["input"])
    run.emit("run.completed", output=run.body["input"], usage={})


def spin(run: FakeRun) -> None:
    run.emit("run.started", pid=4321, agent="spin", attempt=1)


def crash(run: FakeRun) -> None:
    run.emit("run.started", pid=4321, agent="crash", attempt=1)
    receipt = {"signal": "SIGSEGV", "proof": "pidns", "survivors": [], "stderr_tail": "boom\n"}
    run.emit("run.failed", error="the agent died of SIGSEGV", reason="signal", exit=receipt)


def receipt(rung: str) -> Json:
    return {"signal": "SIGKILL", "rung": rung, "took_ms": 3.14, "proof": "pidns", "survivors": []}


class FakeServer:
    """Use as a context manager. `url` is where it listens; `asked` is every request: method, path, body."""

    def __init__(self) -> None:
        self.agents: dict[str, Script] = {"echo": echo, "spin": spin, "crash": crash}
        self.runs: dict[str, FakeRun] = {}
        self.asked: list[tuple[str, str, Any]] = []
        self.headers: list[Message] = []  # of every request
        self.resumed_from: list[int] = []
        self.cut_after: list[int] = []  # for each stream that is opened: how many whole frames before the cut
        self.gently = False  # a stop is heard, and nothing ends
        self.refusals: list[tuple[int, Json, dict[str, str]]] = []  # answers that come before any other
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "FakeServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def add(self, run_id: str, agent: str = "echo", text: str = "hi") -> FakeRun:
        run = self.runs[run_id] = FakeRun(run_id, {"agent": agent, "input": text})
        run.emit("run.queued", position=0)
        self.agents[agent](run)
        return run

    def stop(self, run: FakeRun, rung: str) -> None:
        run.emit("run.stopping", mode=rung, reason=None)
        if not (self.gently and rung != "kill"):
            reason = {"kill": "killed", "terminate": "terminated"}.get(rung, "interrupted")
            run.emit("run.cancelled", reason=reason, exit=receipt(rung))


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client may leave before it was told everything; any other error is a slip in the fake."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _handler(fake: FakeServer) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        server_of = fake

    return Handler


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_of: FakeServer

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a test's output is not the place."""

    def _serve(self, method: str) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        self.server_of.asked.append((method, self.path, body))
        self.server_of.headers.append(self.headers)
        if self.server_of.refusals:
            status, error, headers = self.server_of.refusals.pop(0)
            self._answer(status, error, headers)
        elif self.path != "/health" and self.headers.get("Authorization") != f"Bearer {KEY}":
            self._refuse(401, "invalid_api_key", "A key is needed")
        else:
            self._route(method, urlsplit(self.path).path, body)

    def _route(self, method: str, path: str, body: Any) -> None:
        fake = self.server_of
        found = re.fullmatch(r"/v1/runs/([^/]+)(?:/(events|stop|kill))?", path)
        if path == "/health":
            self._answer(200, {"status": "ok"})
        elif path == "/v1/runs":
            self._start(body) if method == "POST" else self._list()
        elif not found or found[1] not in fake.runs:
            self._refuse(404, "run_not_found", "There is no such run")
        elif found[2] == "events":
            self._stream(fake.runs[found[1]])
        elif found[2]:
            rung = "kill" if found[2] == "kill" else (body or {}).get("mode", "interrupt")
            self._stop(fake.runs[found[1]], rung)
        else:
            self._answer(200, fake.runs[found[1]].document())

    def _start(self, body: Json) -> None:
        if not body.get("input"):
            self._refuse(400, "missing_field", "`input` must be a text that is not empty", "input")
        elif body.get("agent") not in self.server_of.agents:
            self._refuse(404, "agent_not_found", "There is no agent of that name", "agent")
        else:
            run_id = f"run_{len(self.server_of.runs):04x}"
            run = self.server_of.runs[run_id] = FakeRun(run_id, body)
            run.emit("run.queued", position=0)
            self._answer(202, {"run_id": run_id, "status": "started"})
            self.server_of.agents[body["agent"]](run)

    def _list(self) -> None:
        """Pages of two, so that a client that forgets to turn them is found out."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        runs = [run.document() for run in reversed(list(self.server_of.runs.values()))]
        wanted = [run for run in runs if all(run.get(name) == query[name] for name in query if name in run)]
        at = int(query.get("before", 0))
        more = len(wanted) > at + 2
        page = {"object": "list", "data": wanted[at : at + 2], "has_more": more}
        self._answer(200, {**page, "next": str(at + 2) if more else None})

    def _stop(self, run: FakeRun, rung: str) -> None:
        if run.ended:
            self._refuse(404, "run_ended", "The run is over")
            return
        self._answer(200, {"run_id": run.run_id, "status": "stopping"})
        self.server_of.stop(run, rung)

    def _stream(self, run: FakeRun) -> None:
        after = int(self.headers.get("Last-Event-ID") or 0)
        self.server_of.resumed_from.append(after)
        if run.ended and after >= len(run.events):
            self.send_response(204)
            self.end_headers()
            return
        cut = self.server_of.cut_after.pop(0) if self.server_of.cut_after else None
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._frames(run, after, cut)

    def _frames(self, run: FakeRun, after: int, cut: int | None) -> None:
        self._chunk(b"retry: 10\n\n: keepalive\n\n")
        for sent in range(PATIENCE_FRAMES):
            event = run.next(after + sent)
            frame = f"id: {event['seq']}\ndata: {json.dumps(event)}\n\n".encode()
            if sent == cut:
                self._chunk(frame[: len(frame) // 2])
                self.close_connection = True
                return
            self._chunk(frame)
            if event["event"] in ENDS:
                break
        self._chunk(b": stream closed\n\n")
        self._chunk(b"")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def _refuse(self, status: int, code: str, message: str, param: str | None = None) -> None:
        error = {"message": message, "type": "invalid_request_error", "code": code, "param": param}
        self._answer(status, {"error": error})

    def _answer(self, status: int, document: Any, headers: dict[str, str] | None = None) -> None:
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


PATIENCE_FRAMES = 1_000_000
