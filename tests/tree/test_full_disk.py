"""The journal's disk fills up under live runs: what is refused, what waits, what ends, and what comes after."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..support import census
from ..support.client import Client, Json
from ..support.server import Server, agent, running
from ..support.waiting import AT_LAST_S, until

MIB = 1 << 20
SIZE = 24 * MIB
ENDLESS_S = 3600.0


class Disk:
    """A tmpfs with a state folder and a ballast that takes all the room."""

    def __init__(self, point: Path) -> None:
        self.point = point
        self._ballast = point / "ballast"

    def fill(self) -> None:
        """Leave no room, whatever is written and freed meanwhile."""
        try:
            with self._ballast.open("ab", buffering=0) as ballast:
                while True:
                    ballast.write(bytes(4096))
        except OSError:
            return

    def make_room(self) -> None:
        self._ballast.unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    point = tmp_path / "disk"
    point.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", point], check=True)
    yield Disk(point)
    subprocess.run(["umount", "-l", point], check=True)


def _config(reserve_bytes: int = 1 * MIB) -> dict[str, Any]:
    return {
        "state": {"reserve_bytes": reserve_bytes},
        "runs": {"default_agent": "counts", "builtin_agents": ["echo"]},
        "events": {"max_log_bytes": 0},
        "supervision": {"restart_intensity": 100},
        "agents": {"counts": agent("chaos", "counts"), "act": agent("acting", "act")},
    }


@pytest.fixture
def server(disk: Disk) -> Iterator[Server]:
    with running(disk.point / "house", _config()) as server:
        yield server


def _counting(client: Client, lasts_s: float = ENDLESS_S) -> str:
    """A run that counts aloud, in the middle of it."""
    plan = {"lasts_s": lasts_s, "pause_s": 0.002, "end": "completed"}
    run_id = client.start("counts", json.dumps(plan))
    with client.stream(run_id) as stream:
        stream.until("test.count")
    return run_id


def _filled(server: Server, disk: Disk, run_id: str) -> None:
    """Return once nothing was written in a time in which a hundred events would have been."""
    stood: dict[int, float] = {}  # last seq → when it was first seen

    def stands_still() -> bool:
        disk.fill()  # a checkpoint may have freed some
        now = time.monotonic()
        return now - stood.setdefault(server.client.run(run_id)["last_seq"], now) > 0.3

    until(stands_still, AT_LAST_S, "a journal that is held up")


def _await_more(client: Client, run_id: str, than: int) -> None:
    until(lambda: client.run(run_id)["last_seq"] > than + 100, AT_LAST_S, "more events")


def _check_numbers(events: list[Json]) -> None:
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    counted = [event["n"] for event in events if event["event"] == "test.count"]
    assert counted == list(range(1, len(counted) + 1))


def test_a_full_disk_holds_live_runs_up_refuses_new_ones_and_loses_nothing(
    server: Server, disk: Disk
) -> None:
    client = server.client
    run_id, supervisor = _counting(client), server.member("supervisor").pid
    _filled(server, disk, run_id)
    answer = client.ask("POST", "/v1/runs", {"agent": "echo", "input": "x"})
    assert (answer.status, answer.error["code"]) == (507, "journal_full")
    assert int(answer.headers["Retry-After"]) >= 1
    assert client.run(run_id)["status"] == "running"
    stood_at = client.run(run_id)["last_seq"]
    disk.make_room()
    _await_more(client, run_id, stood_at)
    assert client.stopped(run_id)["reason"] == "interrupted"
    _check_numbers(client.events(run_id))
    assert client.ended(client.start("echo", "works"))["output"] == "works"
    assert server.member("supervisor").pid == supervisor


def test_a_run_is_stopped_though_the_journal_can_not_take_it(server: Server, disk: Disk) -> None:
    client = server.client
    run_id, deaf = _counting(client), client.begun("act", "stubborn")
    agents = [server.member(f"agent {each}").pid for each in (run_id, deaf)]
    _filled(server, disk, run_id)
    assert client.stop(run_id).status == 200
    assert client.kill(deaf).status == 200
    until(lambda: not _alive(agents), AT_LAST_S, "the end of the agents")
    disk.make_room()
    assert [client.ended(each)["reason"] for each in (run_id, deaf)] == ["interrupted", "killed"]
    for each in (run_id, deaf):
        _check_numbers(client.events(each))


def test_a_run_that_ends_while_the_disk_is_full_ends_as_it_did(server: Server, disk: Disk) -> None:
    client = server.client
    ending, run_id = _counting(client, lasts_s=2.0), _counting(client)
    its = server.member(f"agent {ending}").pid
    _filled(server, disk, run_id)
    until(lambda: not _alive([its]), AT_LAST_S, "the end of the agent")
    disk.make_room()
    events = client.events(ending)
    _check_numbers(events)
    assert events[-1]["event"] == "run.completed"
    assert events[-1]["output"] == sum(event["event"] == "test.count" for event in events)
    client.stopped(run_id)


def test_a_supervisor_that_dies_over_a_full_disk_is_replaced_and_the_runs_go_on(
    server: Server, disk: Disk
) -> None:
    client = server.client
    run_id = _counting(client)
    _filled(server, disk, run_id)
    os.kill(server.member("supervisor").pid, signal.SIGKILL)
    until(client.is_healthy, AT_LAST_S, "health")
    assert client.run(run_id)["status"] == "running"
    disk.make_room()
    stood_at = client.run(run_id)["last_seq"]
    _await_more(client, run_id, stood_at)
    assert client.stopped(run_id)["reason"] == "interrupted"
    _check_numbers(client.events(run_id))


def test_live_runs_are_told_before_the_disk_is_full(disk: Disk) -> None:
    with running(disk.point / "house", _config(reserve_bytes=8 * MIB)) as server:
        run_id = _counting(server.client)
        with server.client.stream(run_id) as stream:
            (disk.point / "ballast").write_bytes(bytes(SIZE - 6 * MIB))
            warning = stream.until("run.warning").event
        assert warning["code"] == "journal_room"
        assert server.client.ask("POST", "/v1/runs", {"agent": "echo", "input": "x"}).status == 507
        disk.make_room()
        server.client.stopped(run_id)


def _alive(pids: list[int]) -> list[int]:
    return [each.pid for each in census.processes() if each.pid in pids and each.state != "Z"]
