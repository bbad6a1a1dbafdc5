"""Jobs of many short runs: one at a time, and many at a time."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from .connection import Connection, Refused
from .job import Job, Result, Spent
from .runs import completed, start

AGENT, INPUT = "echo", "hello"


def trivial(job: Job) -> Result:
    """`count` runs, one after another, on one kept-alive connection."""
    connection = Connection(job.address)
    for _ in range(job.number("warm_up")):
        _one(connection)
    took_ms: list[float] = []
    accepted_ms: list[float] = []
    with Spent(job.root) as spent:
        for _ in range(job.number("count")):
            asked, accepted, ended = _one(connection)
            accepted_ms.append((accepted - asked) * 1000)
            took_ms.append((ended - asked) * 1000)
    result = {"ms": took_ms, "accepted_ms": accepted_ms} | spent.per_unit("cpu_ms", len(took_ms))
    return result | _agent_cpu(job)


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


def _one(connection: Connection) -> tuple[float, float, float]:
    asked = time.time()
    run_id = start(connection, AGENT, INPUT)
    accepted = time.time()
    return asked, accepted, completed(connection, run_id).at


def _agent_cpu(job: Job) -> Result:
    """CPU of the agents alone, as the receipts of the newest runs have it."""
    connection = Connection(job.address)
    runs = json.loads(connection.get("/v1/runs?limit=100"))["data"]
    if not runs:
        raise Refused("no run is listed")
    used = [(run.get("exit") or {}).get("cpu_s") for run in runs]
    told = [cpu_s * 1000 for cpu_s in used if cpu_s is not None]
    return {"cpu_ms.of which agents": told} if told else {}
