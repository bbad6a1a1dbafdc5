"""Jobs of what runs share: the CPUs with our own processes, and the memory with each other."""

import json
import threading
import time

from .connection import Connection, Refused
from .job import Job, Result, Spent
from .jobs_runs import at_once
from .processes import CORE, own_memory, processes
from .runs import completed, follow, start

MIB = 1 << 20
QUEUED = "/v1/runs?status=queued&limit=1"


def burns(job: Job) -> Result:
    """`runs` runs that each burn `seconds` of CPU, and `/health` asked `per_s` times a second meanwhile."""
    ends: list[float] = []

    def burn() -> None:
        connection = Connection(job.address)
        ends.append(completed(connection, start(connection, "bench", f"burn {job.sizes['seconds']}")).at)

    burners = [threading.Thread(target=burn) for _ in range(job.number("runs"))]
    began = time.time()
    for burner in burners:
        burner.start()
    health_ms = _ask_health(job, burners)
    if len(ends) != len(burners):
        raise Refused("a burning run did not complete")
    return {"wall_s": [max(ends) - began], "health_ms": health_ms}


def _ask_health(job: Job, while_alive: list[threading.Thread]) -> list[float]:
    """How long each answer took. Where one is so late that the next question is late, that counts as well."""
    connection = Connection(job.address)
    pause_s = 1 / job.sizes["per_s"]
    took_ms: list[float] = []
    due = time.monotonic()
    while any(thread.is_alive() for thread in while_alive):
        wait_s = due - time.monotonic()
        if wait_s > 0:
            time.sleep(wait_s)
        asked = time.monotonic() if wait_s > 0 else due
        connection.get("/health")
        took_ms.append((time.monotonic() - asked) * 1000)
        due += pause_s
    return took_ms


def idle(job: Job) -> Result:
    """`runs` runs that wait: what memory each takes, what CPU they all take, and how long they take to end."""
    count = job.number("runs")
    connection = Connection(job.address)
    start(connection, "bench", "flood 1")  # so that what is made once is there before
    time.sleep(1.0)
    before = _memory(job.root)
    began = time.monotonic()
    run_ids = [start(connection, "bench", "idle") for _ in range(count)]
    while json.loads(connection.get(QUEUED))["data"]:
        time.sleep(0.01)
    started_s = time.monotonic() - began
    time.sleep(1.0)
    after = _memory(job.root)
    with Spent(job.root) as spent:
        time.sleep(job.sizes["watch_s"])
    grown = {role: (after[role] - before.get(role, 0)) / count / MIB for role in after}
    return (
        {
            "all_mib": [sum(grown.values())],
            "started_s": [started_s],
            "ended_s": [_end_all(connection, run_ids)],
        }
        | {f"mib_per_run.{role}": [mib] for role, mib in grown.items()}
        | spent.per_unit("idle_cores", spent.wall_s, 1.0)
    )


def _end_all(connection: Connection, run_ids: list[str]) -> float:
    began = time.monotonic()
    for run_id in run_ids:
        connection.post(f"/v1/runs/{run_id}/stop", b"{}")
    for run_id in run_ids:
        follow(connection, run_id)
    return time.monotonic() - began


def _memory(root: int) -> dict[str, int]:
    """Bytes of memory of their own that the processes of each role have."""
    found: dict[str, int] = {}
    for process in processes(root):
        found[process.role] = found.get(process.role, 0) + own_memory(process.pid)
    return found


def growth(job: Job) -> Result:
    """Memory of our own processes after many runs, against that after few."""
    few, many = job.sizes["few"], job.sizes["many"]
    _runs(job, few)
    before = _memory(job.root)
    _runs(job, many - few)
    after = _memory(job.root)
    return {"percent": [100 * (_core(after) / _core(before) - 1)]} | {
        f"mib_{when}.{role}": [memory[role] / MIB]
        for when, memory in (("few", before), ("many", after))
        for role in memory
    }


def _runs(job: Job, count: float) -> None:
    at_once(Job(job.name, job.address, job.root, {"count": count, "width": 16}))
    time.sleep(1.0)


def _core(memory: dict[str, int]) -> int:
    return sum(memory.get(role, 0) for role in CORE)
