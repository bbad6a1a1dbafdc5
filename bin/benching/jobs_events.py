"""Jobs of many events: one run as fast as it can, many runs at a rate, one run to many clients."""

import re

from .connection import Connection, Refused, unchunked
from .job import Job, Result, Spent
from .runs import start

_ID = re.compile(rb"^id: (\d+)\n", re.MULTILINE)
_STARTED = re.compile(rb'"event":"run\.started","timestamp":([0-9.e+]+)')
DELTA = b'"event":"message.delta"'
COMPLETED = b'"event":"run.completed"'


def flood(job: Job) -> Result:
    """One run that emits `count` events of 20 bytes in a tight loop, to one client, from its first event on."""
    count = job.number("count")
    connection = Connection(job.address)
    with Spent(job.root) as spent:
        run_id = start(connection, "bench", f"flood {count}")
        parts = list(connection.stream(f"/v1/runs/{run_id}/events"))
    text = unchunked(b"".join(part for _, part in parts))
    _verify(text, count)
    took_s = parts[-1][0] - float(_found(_STARTED, text))
    return {"per_s": [count / took_s]} | spent.per_unit("cpu_us", count, 1e6)


def _verify(text: bytes, count: int) -> None:
    """Every event once, in order, without a gap, each in a frame of its own. Raises `Refused`."""
    ids = [int(number) for number in _ID.findall(text)]
    if ids != list(range(1, len(ids) + 1)):
        raise Refused(f"the event numbers are not 1 … {len(ids)}")
    frames = text.count(b"\n\n") - 2  # beside `retry:` and `: stream closed`
    deltas = text.count(DELTA)
    if deltas != count or frames != len(ids) or text.count(COMPLETED) != 1:
        raise Refused(f"{deltas} of {count} deltas came, in {frames} frames with {len(ids)} numbers")


def _found(pattern: re.Pattern[bytes], text: bytes) -> bytes:
    found = pattern.search(text)
    if found is None:
        raise Refused(f"nothing in the stream matches {pattern.pattern!r}")
    return found[1]
