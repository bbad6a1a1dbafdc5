"""Jobs of many short runs: one at a time, and many at a time."""

import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from .connection import Connection, Refused
from .job import Job, Result, Spent
from .runs import Ended, ran

AGENT, INPUT = "echo", "hello"
STAMP = re.compile(rb'"timestamp":([0-9.e+]+)')
HOPS = (
    "1 POST to run.queued",
    "2 to run.started",
    "3 to the first delta",
    "4 to run.completed",
    "5 to the client",
)


def trivial(job: Job) -> Result:
    """`count` runs, one after another, on one kept-alive connection. Each is one request, answered by its events."""
    connection = Connection(job.address)
    for _ in range(job.number("warm_up")):
        _one(connection)
    with Spent(job.root) as spent:
        runs = [_one(connection) for _ in range(job.number("count"))]
    result: Result = {
        "ms": [(run.ended.at - run.asked) * 1000 for run in runs],
    }
    return result | _hops(runs) | spent.per_unit("cpu_ms", len(runs)) | _agent_cpu(job)


class _Run(NamedTuple):
    asked: float
    ended: Ended


def _one(connection: Connection) -> _Run:
    asked = time.time()
    return _Run(asked, ran(connection, AGENT, INPUT))


def _hops(runs: list[_Run]) -> Result:
    """Where the time of a run goes, by the stamps that its events bear. They overlap with nothing."""
    hops: Result = {f"hop_ms.{name}": [] for name in HOPS}
    for run in runs:
        stamps = [run.asked, *map(float, STAMP.findall(run.ended.text)), run.ended.at]
        if len(stamps) == len(HOPS) + 1:
            for name, before, after in zip(HOPS, stamps, stamps[1:], strict=False):
                hops[f"hop_ms.{name}"].append((after - before) * 1000)
    return hops


def at_once(job: Job) -> Result:
    """`count` runs, `width` of them under way at any time."""
    width = job.number("width")
    left = iter(range(job.number("count")))
    lock = threading.Lock()

    def work() -> int:
        connection = Connection(job.address)
        done = 0
        while True:
            with lock:
                if next(left, None) is None:
                    return done
            _one(connection)
            done += 1

    with ThreadPoolExecutor(width) as pool, Spent(job.root) as spent:
        began = time.monotonic()
        done = sum(each.result() for each in [pool.submit(work) for _ in range(width)])
        took_s = time.monotonic() - began
    return {"per_s": [done / took_s]} | spent.per_unit("cpu_ms", done) | _agent_cpu(job)


def _agent_cpu(job: Job) -> Result:
    """CPU of the agents alone, as the receipts of the newest runs have it."""
    connection = Connection(job.address)
    runs = json.loads(connection.get("/v1/runs?limit=100"))["data"]
    if not runs:
        raise Refused("no run is listed")
    used = [(run.get("exit") or {}).get("cpu_s") for run in runs]
    told = [cpu_s * 1000 for cpu_s in used if cpu_s is not None]
    return {"cpu_ms.of which agents": told} if told else {}
