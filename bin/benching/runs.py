"""The load of whole runs: started over HTTP, followed to their end. The client's side of one run."""

import json
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from .connection import SEAM_BYTES, TERMINAL, Connection, Refused, unchunked


class Ended(NamedTuple):
    """When a client saw the terminal event (Unix seconds), what it was, and the text of all that came."""

    at: float
    event: str
    text: bytes


def start(connection: Connection, agent: str, text: str) -> str:
    """Start a run; its id."""
    run_id: str = json.loads(connection.post("/v1/runs", _body(agent, text)))["run_id"]
    return run_id


def ran(connection: Connection, agent: str, text: str) -> Ended:
    """A run from its start to its completion, in one request. Raises `Refused` for any other end."""
    return _completed(_follow(connection.stream("/v1/runs", _body(agent, text))))


def follow(connection: Connection, run_id: str, on_part: Callable[[bytes], None] = lambda _: None) -> Ended:
    """Read the run's stream from its first event to its end; `on_part` is given what comes as it comes."""
    return _follow(connection.stream(f"/v1/runs/{run_id}/events"), on_part)


def completed(connection: Connection, run_id: str) -> Ended:
    """The same; raises `Refused` for any end but completion."""
    return _completed(follow(connection, run_id))


def last_event(ended: Ended) -> dict[str, Any]:
    """The terminal event."""
    event: dict[str, Any] = json.loads(ended.text[ended.text.rindex(b"\ndata: ") + 7 :].partition(b"\n")[0])
    return event


def _body(agent: str, text: str) -> bytes:
    return json.dumps({"agent": agent, "input": text}).encode()


def _follow(
    stream: Iterable[tuple[float, bytes]], on_part: Callable[[bytes], None] = lambda _: None
) -> Ended:
    parts: list[bytes] = []
    at, event, tail = 0.0, "", b""
    for now, part in stream:
        parts.append(part)
        on_part(part)
        terminal = None if event else TERMINAL.search(tail + part)
        if terminal:
            at, event = now, f"run.{terminal[1].decode()}"
        tail = part[-SEAM_BYTES:]
    if not event:
        raise Refused(f"the stream ended without a terminal event: {b''.join(parts)[-600:]!r}")
    return Ended(at, event, unchunked(b"".join(parts)))


def _completed(ended: Ended) -> Ended:
    if ended.event != "run.completed":
        raise Refused(f"the run ended with {ended.text[-600:]!r}")
    return ended
