"""A server with little room for history, over a real port: what goes, what stays, and what readers are told."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..support.client import Client
from ..support.server import Server, agent, running
from ..support.waiting import AT_LAST_S, until

MOST_RUNS = 3
MOST_EVENTS = 20


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Server]:
    config = {
        "retention": {"max_runs": MOST_RUNS, "min_age_s": 0, "run_max_events": MOST_EVENTS},
        "runs": {"default_agent": "act"},
        "agents": {"act": agent("acting", "act", work_folder="keep")},
    }
    with running(tmp_path, config) as server:
        yield server


def _files(house: Server) -> set[str]:
    """The runs of which there is a log or a kept folder."""
    state = house.folder / "state"
    names = {name for folder in ("logs", "kept", "trash") for name in os.listdir(state / folder)}
    return {name.partition(".")[0] for name in names}


def _listed(client: Client) -> set[str]:
    return {run["run_id"] for run in client.ask("GET", "/v1/runs").json["data"]}


def _first_event(client: Client, run_id: str) -> str:
    """The first that a reader of the whole run gets."""
    with client.stream(run_id) as stream:
        return str(next(iter(stream)).event["event"])


def test_old_runs_go_with_their_files_and_a_live_one_only_loses_its_oldest_events(house: Server) -> None:
    client = house.client
    live = client.start("act", "endless")
    ended = [client.start("act", "raises") for _ in range(2 * MOST_RUNS)]
    until(lambda: len(_listed(client)) == MOST_RUNS, AT_LAST_S, "as many runs as may be")
    kept = _listed(client)
    assert live in kept
    assert kept < {live, *ended}
    gone = set(ended) - kept
    for run_id in gone:
        answer = client.ask("GET", f"/v1/runs/{run_id}/events")
        assert (answer.status, answer.error["code"]) == (404, "run_not_found")
    until(lambda: not _files(house) & gone, AT_LAST_S, "the end of the files of runs that are gone")
    assert _files(house) == kept
    until(lambda: _first_event(client, live) == "stream.gap", AT_LAST_S, "a gap at the beginning")
    with client.stream(live) as stream:
        frames = iter(stream)
        gap, follows = next(frames), next(frames)
    assert gap.event["from"] == 1
    assert follows.event["seq"] == gap.event["to"] + 1
    assert client.stopped(live)["last_event"] == "run.cancelled"
