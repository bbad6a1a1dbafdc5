"""A server under fire: processes of the roles that were chosen are shot at random moments while readers read."""

import os
import random
import signal
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..support.census import Process
from ..support.server import Server, agent, running
from ..support.waiting import AT_LAST_S, until
from .readers import Reader, faults

OF_A_RUN = frozenset({"warden", "agent"})
RESTART = "restart"  # no role: instead of a shot the server is restarted in place


@dataclass(frozen=True)
class Storm:
    """How hard it blows."""

    roles: Sequence[str]
    shots: int
    readers: int
    seed: int
    rung: str = "auto"
    longest_pause_s: float = 0.6  # between two shots
    longest_run_s: float = 3.0
    lets_recover: bool = False  # a shot waits until the server works again
    after_stops: bool = False  # the supervisor is also shot the moment it has accepted a stop


@dataclass
class Damage:
    """What was shot, what went wrong, and what it cost."""

    shots: int
    readers: int
    runs: int
    faults: list[str]
    gaps_s: list[float]
    breaks: int

    def silence_s(self, share: float) -> float:
        """The longest times between two frames: as many as there were shots and readers, up to this share of them."""
        worst = sorted(self.gaps_s, reverse=True)[: max(1, self.shots * self.readers)]
        return worst[min(len(worst) - 1, int(len(worst) * (1 - share)))]


def config(storm: Storm) -> dict[str, Any]:
    """A server that never gives up, with one agent."""
    return {
        "containment": {"kill": storm.rung},
        "runs": {
            "default_agent": "counts",
            "builtin_agents": [],
            "interrupt_grace_s": AT_LAST_S,
            "terminate_grace_s": AT_LAST_S,
        },
        "supervision": {"restart_intensity": 100_000},
        "agents": {"counts": agent("chaos", "counts")},
    }


def blow(storm: Storm, folder: Path) -> Damage:
    """The whole storm, from a server that starts to one that has ended with nothing left."""
    with running(folder, config(storm)) as server:
        gunner = _Gunner(storm, server)
        over = threading.Event()
        readers = [
            Reader(server.client, storm.seed * 1000 + n, storm.longest_run_s, over, gunner.stop_was_accepted)
            for n in range(storm.readers)
        ]
        for reader in readers:
            reader.thread.start()
        try:
            gunner.fire()
        finally:
            over.set()
            for reader in readers:
                reader.thread.join(4 * AT_LAST_S)
        until(server.client.is_healthy, AT_LAST_S, "health")
        server.await_no_runs()
        return _damage(server, readers, gunner, storm)


class _Gunner:
    """Shoots. `hit` holds the runs of which a process was shot."""

    def __init__(self, storm: Storm, server: Server) -> None:
        self._storm = storm
        self._server = server
        self._random = random.Random(storm.seed)
        self._lock = threading.Lock()
        self.hit: set[str] = set()
        self.shots = 0

    def fire(self) -> None:
        while self.shots < self._storm.shots:
            if self._storm.lets_recover:
                until(self._server.client.is_healthy, AT_LAST_S, "health")
            time.sleep(self._random.uniform(0, self._storm.longest_pause_s))  # the moment is the point
            self._shoot(self._random.choice(self._storm.roles))

    def stop_was_accepted(self) -> None:
        if self._storm.after_stops:
            self._shoot("supervisor")

    def _shoot(self, role: str) -> None:
        with self._lock:
            if role == RESTART:
                self._server.signal(signal.SIGUSR2)
                self.shots += 1
                return
            targets = self._targets(role)
            if not targets:
                return
            target = self._random.choice(targets)
            if role in OF_A_RUN:
                self.hit.add(target.title.split()[-1])
            with suppress(ProcessLookupError):
                os.kill(target.pid, signal.SIGKILL)
                self.shots += 1

    def _targets(self, role: str) -> list[Process]:
        """Who is of this role: what was just forked still bears its parent's title."""
        found = self._server.members(role)
        if role in ("supervisor", "facade"):
            return [each for each in found if each.parent == self._server.pid]
        supervisors = {each.pid for each in self._server.members("supervisor")}
        return [each for each in found if each.parent in supervisors] if role == "zygote" else found


def _damage(server: Server, readers: list[Reader], gunner: _Gunner, storm: Storm) -> Damage:
    wrong = [f"{reader.thread.name}: {reader.trouble!r}" for reader in readers if reader.trouble is not None]
    wrong += [f"{reader.thread.name} did not end" for reader in readers if reader.thread.is_alive()]
    runs = [told for reader in readers for told in reader.told]
    zygotes = "zygote" in storm.roles
    for told in runs:
        wrong += [
            f"{told.run_id} ({told.fate}): {fault}"
            for fault in faults(told, told.run_id in gunner.hit, zygotes)
        ]
        if told.run_id and server.client.events(told.run_id) != told.events:
            wrong.append(f"{told.run_id}: its reader was told something else than the journal holds")
    run_ids = {told.run_id for told in runs}
    listed = _listed(server)
    if listed != run_ids:
        wrong.append(f"{len(listed)} runs are listed, {len(run_ids)} were started: {listed ^ run_ids}")
    if "Traceback" in server.log:
        wrong.append(server.log[server.log.index("Traceback") :][:2000])
    breaks = sum(told.breaks for told in runs)
    if breaks and not {"facade", RESTART} & set(storm.roles):
        wrong.append(f"{breaks} streams broke off, and no facade was shot")
    gaps = [gap for reader in readers for gap in reader.gaps_s]
    return Damage(gunner.shots, len(readers), len(runs), wrong, gaps, breaks)


def _listed(server: Server) -> set[str]:
    """Every run that the server knows."""
    found: set[str] = set()
    query = "limit=200"
    while True:
        page = server.client.ask("GET", f"/v1/runs?{query}").json
        found |= {run["run_id"] for run in page["data"]}
        if not page["has_more"]:
            assert all(run["status"] in ("completed", "failed", "cancelled") for run in page["data"])
            return found
        query = f"limit=200&before={page['next']}"
