"""Jobs of stops and kills, one at a time, each of a run that is known to be at work."""

import time
from collections.abc import Callable

from .connection import Connection, Refused
from .job import Job, Result
from .processes import named
from .runs import Ended, follow, last_event, start

READY = b'"event":"message.delta"'  # what an agent says once it is at work


def stops(job: Job) -> Result:
    """`count` cooperative stops: POST to the moment that the agent's `interrupt` was called."""
    called_ms, ended_ms = [], []
    for _ in range(job.number("count")):
        asked, ended = _end(job, "talker", "wait", "stop")
        output = last_event(ended).get("output")
        if not output:
            raise Refused(f"the agent was not interrupted: {ended.text[-400:]!r}")
        called_ms.append((float(output) - asked) * 1000)
        ended_ms.append((ended.at - asked) * 1000)
    return {"called_ms": called_ms, "ended_ms": ended_ms}


def kills(job: Job) -> Result:
    """`count` kills: of an agent that spins, or, with more than one of `pids`, of a fork bomb."""
    result: Result = {"proof_ms": [], "ended_ms": [], "survivors": [], "processes": []}
    for _ in range(job.number("count")):
        _kill_one(job, result)
    return result


def _kill_one(job: Job, result: Result) -> None:
    name = f"rwb{time.monotonic_ns() % 10**12:012}"  # as long as a comm may be; every process of the run bears it
    text = f"bomb {name} {job.number('pids')} {job.sizes['seconds']}"

    def count() -> None:
        time.sleep(job.sizes["grow_s"])
        result["processes"].append(len(named(name)))

    asked, ended = _end(job, "bench", text, "kill", count)
    left = named(name)
    receipt = last_event(ended)["exit"]
    result["proof_ms"].append(receipt["took_ms"])
    result["ended_ms"].append((ended.at - asked) * 1000)
    result["survivors"].append(max(len(left), len(receipt["survivors"])))


def _nothing() -> None:
    pass


def _end(
    job: Job, agent: str, text: str, how: str, first: Callable[[], None] = _nothing
) -> tuple[float, Ended]:
    """Start a run; once it is at work do `first`, then ask for its end. When that was asked, and the end."""
    watching, asking = Connection(job.address), Connection(job.address)
    run_id = start(watching, agent, text)
    asked: list[float] = []

    def ask(part: bytes) -> None:
        if not asked and READY in part:
            first()
            asked.append(time.time())
            asking.post(f"/v1/runs/{run_id}/{how}", b"{}")

    ended = follow(watching, run_id, ask)
    watching.close()
    asking.close()
    if not asked:
        raise Refused(f"{run_id} ended by itself: {ended.text[-400:]!r}")
    return asked[0], ended
