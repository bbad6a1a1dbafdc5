"""Trees of runs under fire: they grow, end and are stopped while processes of every role are shot."""

import os
import random
import signal
import time
from contextlib import suppress
from typing import Any

from ..support.client import Json
from ..support.server import Server, agent
from ..support.waiting import AT_LAST_S, until

ROLES = ("supervisor", "warden", "warden", "agent", "facade", "zygote")
STARTS = (
    ("tree", "grower 2"),
    ("acts", "leaver 2"),
    ("acts", "gatherer 3"),
    ("acts", 'parent {"agent": "leaf", "input": "x"}'),
)
LONGEST_PAUSE_S = 0.4
CONFIG: dict[str, Any] = {
    "runs": {
        "builtin_agents": [],
        "default_agent": "acts",
        "max_live": 6,
        "max_tree_depth": 3,
        "max_tree_runs": 12,
        "max_children": 4,
        "interrupt_grace_s": 0.3,
        "terminate_grace_s": 0.3,
    },
    "supervision": {"restart_intensity": 1000},
    "agents": {
        "acts": agent("spawning", "act", spawn=["leaf", "sleeper"]),
        "tree": agent("spawning", "tree", spawn=["tree"]),
        "leaf": agent("spawning", "leaf"),
        "sleeper": agent("spawning", "sleeper"),
    },
}


def blow(server: Server, chance: random.Random, shots: int) -> list[str]:
    """The ids of the trees' roots, once all that was started has its end."""
    roots: list[str] = []
    while shots:
        with suppress(OSError, AssertionError):  # there may be nobody to ask just now
            match chance.choice(("start", "start", "stop", "shoot")):
                case "start":
                    roots.append(server.client.start(*chance.choice(STARTS)))
                case "stop" if roots:
                    server.client.stop(chance.choice(roots))
                case "shoot":
                    shots -= _shoot(server, chance)
        time.sleep(chance.uniform(0, LONGEST_PAUSE_S))  # the moment is the point
    until(lambda: _stops_all(server), AT_LAST_S, "a server that works again")
    for run_id in roots:
        server.client.ended(run_id)
    return roots


def _shoot(server: Server, chance: random.Random) -> int:
    members = server.members(chance.choice(ROLES))
    if not members:
        return 0
    os.kill(chance.choice(members).pid, signal.SIGKILL)
    return 1


def _stops_all(server: Server) -> bool:
    with suppress(OSError):
        return server.client.ask("POST", "/v1/runs/stop", {"all": True}).status == 200
    return False


def faults(server: Server, run_id: str) -> list[str]:
    """What is wrong with this run and all below it, now that they are over."""
    client = server.client
    run = client.run(run_id)
    children: list[Json] = client.ask("GET", f"/v1/runs?parent_run_id={run_id}&limit=200").json["data"]
    events = client.events(run_id)
    names = [event["event"] for event in events]
    found = [fault for child in children for fault in faults(server, child["run_id"])]
    if run["status"] not in ("completed", "failed", "cancelled"):
        found.append(f"{run_id} is {run['status']}")
    if [event["seq"] for event in events] != list(range(1, len(events) + 1)):
        found.append(f"the events of {run_id} have a gap")
    if not names.count("subagent.start") == names.count("subagent.complete") == len(children):
        found.append(f"{run_id} has {len(children)} children, and was told otherwise: {names}")
    found += [
        f"{run_id} ended before its child {child['run_id']}"
        for child in children
        if not (child["ended_at"] or float("inf")) <= run["ended_at"]
    ]
    return found
