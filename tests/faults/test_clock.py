"""The wall clock is set back by an hour under a running server: a shim in each of its processes says so."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ..support import overlay
from ..support.client import Client, Json
from ..support.server import agent, running
from ..support.waiting import AT_LAST_S, until

HOUR_S = 3600.0
GRACE_S = 0.2
WALL_S = 1.0

SetBack = Callable[[], None]


@pytest.fixture(scope="module")
def shimmed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, Path]]:
    marker = tmp_path_factory.mktemp("clock") / "set-back"
    python = overlay.overlaid(tmp_path_factory.mktemp("python") / "venv", "wall_clock", SET_BACK=str(marker))
    config = {"agents": {"act": agent("acting", "act")}}
    with running(tmp_path_factory.mktemp("state"), config, python=python) as server:
        server.client.ended(server.client.start("act", "answers"))
        yield server.client, marker


@pytest.fixture
def client(shimmed: tuple[Client, Path]) -> Iterator[Client]:
    """Before the clock is set back."""
    client, marker = shimmed
    marker.unlink(missing_ok=True)
    yield client
    marker.unlink(missing_ok=True)


@pytest.fixture
def set_back(shimmed: tuple[Client, Path]) -> SetBack:
    return shimmed[1].touch


def _await_events(client: Client, run_id: str, count: int) -> None:
    until(lambda: client.run(run_id)["last_seq"] >= count, AT_LAST_S, f"event {count}")


def _is_behind(stamp: float) -> bool:
    return time.time() - stamp > HOUR_S / 2


def test_events_keep_their_order_and_numbers_and_only_their_stamps_go_back(
    client: Client, set_back: SetBack
) -> None:
    run_id = client.begun("act", "endless")
    with client.stream(run_id) as stream:
        frames = iter(stream)
        seen: list[Json] = [next(frames).event for _ in range(20)]
        set_back()
        while not _is_behind(seen[-1]["timestamp"]):
            seen.append(next(frames).event)
        client.stop(run_id)
        seen += [frame.event for frame in frames]
    assert [event["seq"] for event in seen] == list(range(1, len(seen) + 1))
    stamps = [_is_behind(event["timestamp"]) for event in seen]
    assert stamps == sorted(stamps)
    assert client.events(run_id) == seen
    assert client.run(run_id)["reason"] == "interrupted"


def test_a_stop_and_a_limit_take_as_long_as_they_always_do(client: Client, set_back: SetBack) -> None:
    stopped = client.begun("act", "stubborn")
    limited = client.start("act", "obeys", limits={"wall_s": WALL_S})
    until(lambda: client.run(limited)["status"] != "queued", AT_LAST_S, "its start")
    set_back()
    began = time.monotonic()
    run = client.stopped(stopped, grace_s=GRACE_S)
    assert 2 * GRACE_S <= time.monotonic() - began < AT_LAST_S
    assert (run["reason"], run["exit"]["rung"]) == ("killed", "kill")
    assert 2 * GRACE_S * 1000 <= run["exit"]["took_ms"] < AT_LAST_S * 1000
    assert client.ended(limited)["reason"] == "wall_limit"


def test_runs_are_started_listed_and_known_by_their_keys_as_before(client: Client, set_back: SetBack) -> None:
    body, key = {"agent": "act", "input": "answers once"}, {"Idempotency-Key": "before"}
    before = client.ask("POST", "/v1/runs", body, key).json["run_id"]
    client.ended(before)
    set_back()
    after = client.start("act", "answers more")
    assert client.ended(after)["output"] == "more"
    assert _is_behind(client.run(after)["created_at"])
    assert not _is_behind(client.run(before)["created_at"])
    assert [run["run_id"] for run in client.ask("GET", "/v1/runs?limit=2").json["data"]] == [after, before]
    replayed = client.ask("POST", "/v1/runs", body, key)
    assert (replayed.json["run_id"], replayed.headers["Idempotency-Replayed"]) == (before, "true")
    assert client.is_healthy()
