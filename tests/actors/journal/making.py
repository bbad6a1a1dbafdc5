"""Runs and event lines to put into a journal."""

from typing import Any

import msgspec

from runward.actors.journal.reader import Batch, Reader
from runward.actors.records import RunInput, RunRecord

GIVEN = RunInput(input="hello")


def a_record(run_id: str = "run_1", **fields: Any) -> RunRecord:
    defaults: dict[str, Any] = {"agent": "echo", "created_at": 1.0, "updated_at": 1.0}
    return RunRecord(run_id=run_id, **defaults | fields)


def line(n: int, filling: str = "") -> bytes:
    event = {"event": "message.delta", "timestamp": float(n), "n": n, "delta": filling}
    return msgspec.json.encode(event) + b"\n"


def lines(first: int, last: int, filling: str = "") -> bytes:
    return b"".join(line(n, filling) for n in range(first, last + 1))


def numbers(batches: list[Batch]) -> list[int]:
    """What the lines of the batches say they are; they are to agree with the batch's own bounds."""
    found: list[int] = []
    for batch in batches:
        inside = [msgspec.json.decode(text)["n"] for text in batch.data.splitlines()]
        assert inside == list(range(batch.first, batch.last + 1))
        found += inside
    return found


def everything(reader: Reader, key: int, after: int = 0, max_bytes: int = 4096) -> list[Batch]:
    """All batches from `after` on, read page by page as a slow client would."""
    found: list[Batch] = []
    while page := reader.batches(key, after, max_bytes):
        found += page
        after = page[-1].last
    return found
