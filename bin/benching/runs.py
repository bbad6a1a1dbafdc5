"""The load of whole runs: started over HTTP, followed to their end. The client's side of one run."""

import json
from typing import NamedTuple

from .connection import SEAM_BYTES, TERMINAL, Connection, Refused


class Ended(NamedTuple):
    """When a client saw the terminal event (Unix seconds), what it was, and its frame's text."""

    at: float
    event: str
    raw: bytes


def start(connection: Connection, agent: str, text: str) -> str:
    """Start a run; its id."""
    body = json.dumps({"agent": agent, "input": text}).encode()
    run_id: str = json.loads(connection.post("/v1/runs", body))["run_id"]
    return run_id


def follow(connection: Connection, run_id: str, after: int = 0) -> Ended:
    """Read the run's stream to its end."""
    found: Ended | None = None
    tail = b""
    for at, part in connection.stream(f"/v1/runs/{run_id}/events?after={after}"):
        seen = tail + part
        terminal = None if found else TERMINAL.search(seen)
        if terminal:
            found = Ended(
                at, f"run.{terminal[1].decode()}", seen[seen.rfind(b"\nid: ", 0, terminal.start()) :]
            )
        tail = seen[-SEAM_BYTES:]
    if found is None:
        raise Refused(f"the stream of {run_id} ended without a terminal event")
    return found


def completed(connection: Connection, run_id: str) -> Ended:
    """The same; raises `Refused` for any end but completion."""
    ended = follow(connection, run_id)
    if ended.event != "run.completed":
        raise Refused(f"{run_id} ended with {ended.raw[:400]!r}")
    return ended
