"""The stop ladder over HTTP: which rung ends which agent, and what the receipt says. On both kill rungs."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..support.client import Client, Json
from ..support.rungs import BOTH_WAYS, PROOF, skip_unless_held
from ..support.server import Server, agent, running

LONG_S = 60.0  # a grace that no test waits for
SHORT_S = 0.15
FAIR_S = 0.5  # for an agent that does something with it
QUICK_S = 5.0  # far below the long grace, and enough on a busy machine
RACES = 12


@pytest.fixture(scope="module", params=BOTH_WAYS)
def rung(request: pytest.FixtureRequest) -> str:
    return skip_unless_held(request.param)


@pytest.fixture(scope="module")
def house(rung: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("stops")
    if rung == "uid":
        folder.chmod(0o777)  # its runs are to write there, whoever they are
    config = {
        "containment": {"kill": rung},
        "runs": {
            "interrupt_grace_s": LONG_S,
            "terminate_grace_s": LONG_S,
            "default_agent": "act",
            "builtin_agents": ["spin"],
        },
        "agents": {"act": agent("acting", "act", paths={"writable": [str(folder)]})},
    }
    with running(folder, config) as server:
        server.client.stopped(server.client.begun("act", "obeys"))
        yield server


@pytest.fixture
def client(house: Server) -> Iterator[Client]:
    with house.without_leftovers():
        yield house.client


@pytest.fixture
def proof(rung: str) -> str:
    """What proves an end on this rung."""
    return PROOF[rung]


@pytest.fixture
def note(house: Server, request: pytest.FixtureRequest) -> Path:
    """Where the deaf agent writes down that its `finally` ran; in the folder that it may write to."""
    return house.folder / f"{request.node.name}.note"


def _ends(run: Json) -> tuple[Any, ...]:
    return run["status"], run["reason"], run["exit"]["rung"], run["exit"]["signal"]


def _check_receipt(run: Json, proof: str, least_ms: float = 0.0) -> None:
    assert run["exit"]["proof"] == proof
    assert run["exit"]["survivors"] == []
    assert least_ms <= run["exit"]["took_ms"] < 1000 * QUICK_S
    assert run["exit"]["max_rss_bytes"] > 1_000_000
    assert run["exit"]["cpu_s"] > 0
    assert run["process"] is None


# ── one rung after the other ──────────────────────────────────────────────────────────────────────────────────────


def test_an_agent_that_listens_ends_at_the_interrupt_with_what_it_has(client: Client, proof: str) -> None:
    run = client.stopped(client.begun("act", "obeys"))
    assert _ends(run) == ("cancelled", "interrupted", "interrupt", None)
    assert run["output"] == "so far"
    assert run["error"] is None
    _check_receipt(run, proof)


def test_a_generator_is_closed_at_its_next_yield(client: Client, proof: str) -> None:
    run = client.stopped(client.begun("act", "endless"))
    assert _ends(run) == ("cancelled", "interrupted", "interrupt", None)
    assert run["output"].startswith("ready")
    _check_receipt(run, proof)


def test_an_agent_that_does_not_look_is_terminated_and_its_finally_blocks_run(
    client: Client, proof: str, note: Path
) -> None:
    run = client.stopped(client.begun("act", f"deaf {note}"), grace_s=FAIR_S)
    assert note.read_text() == "finally"
    assert (run["status"], run["reason"], run["exit"]["rung"]) == ("cancelled", "terminated", "terminate")
    _check_receipt(run, proof, least_ms=1000 * FAIR_S)


@pytest.mark.parametrize("name", ["act", "spin"])
def test_an_agent_that_ignores_everything_is_killed(client: Client, proof: str, name: str) -> None:
    run = client.stopped(client.begun(name, "stubborn"), grace_s=SHORT_S)
    assert _ends(run) == ("cancelled", "killed", "kill", "SIGKILL")
    assert run["exit"]["code"] is None
    _check_receipt(run, proof, least_ms=2 * 1000 * SHORT_S)
    climbed = [event for event in client.events(run["run_id"]) if event["event"] == "run.stopping"]
    assert [event["mode"] for event in climbed] == ["interrupt", "terminate", "kill"]
    assert run["rung"] == "kill"


def test_an_agent_that_is_frozen_is_woken_to_be_terminated(client: Client, proof: str) -> None:
    run = client.stopped(client.begun("act", "freezes"), mode="terminate")
    assert (run["status"], run["reason"], run["exit"]["rung"]) == ("cancelled", "terminated", "terminate")
    _check_receipt(run, proof)


def test_a_stop_may_begin_at_a_higher_rung(client: Client, proof: str, note: Path) -> None:
    run = client.stopped(client.begun("act", f"deaf {note}"), mode="terminate")
    assert (run["reason"], run["exit"]["rung"]) == ("terminated", "terminate")
    assert note.read_text() == "finally"
    run = client.stopped(client.begun("act", "stubborn"), mode="kill")
    assert _ends(run) == ("cancelled", "killed", "kill", "SIGKILL")
    _check_receipt(run, proof)


def test_a_kill_gives_no_grace_at_all(client: Client, proof: str, note: Path) -> None:
    run_id = client.begun("act", f"deaf {note}")
    answer = client.kill(run_id)
    assert (answer.status, answer.json) == (200, {"run_id": run_id, "status": "stopping"})
    run = client.ended(run_id)
    assert _ends(run) == ("cancelled", "killed", "kill", "SIGKILL")
    assert not note.exists()
    _check_receipt(run, proof)


def test_a_second_stop_moves_to_the_next_rung_at_once(client: Client, note: Path) -> None:
    run_id = client.begun("act", f"deaf {note}")
    client.stop(run_id)
    run = client.stopped(run_id)
    assert (run["reason"], run["exit"]["rung"]) == ("terminated", "terminate")
    assert run["exit"]["took_ms"] < 1000 * QUICK_S


def test_a_third_stop_kills(client: Client, proof: str) -> None:
    run_id = client.begun("act", "stubborn")
    client.stop(run_id)
    client.stop(run_id)
    run = client.stopped(run_id)
    assert _ends(run) == ("cancelled", "killed", "kill", "SIGKILL")
    _check_receipt(run, proof)


# ── what is said and waited for ───────────────────────────────────────────────────────────────────────────────────


def test_a_stop_tells_every_reader_how_and_why(client: Client) -> None:
    run_id = client.begun("act", "obeys")
    client.stop(run_id, mode="terminate", reason="enough")
    run = client.ended(run_id)
    stopping, cancelled = client.events(run_id)[-2:]
    assert (stopping["event"], stopping["mode"], stopping["reason"]) == (
        "run.stopping",
        "terminate",
        "enough",
    )
    assert (cancelled["event"], cancelled["exit"]) == ("run.cancelled", run["exit"])
    assert cancelled["reason"] == run["reason"]


def test_a_stop_that_waits_answers_with_the_ended_run(client: Client, proof: str) -> None:
    run_id = client.begun("act", "obeys")
    answer = client.stop(run_id, wait=True)
    assert answer.status == 200
    assert answer.json == client.run(run_id)
    assert (answer.json["status"], answer.json["exit"]["proof"]) == ("cancelled", proof)


def test_stopping_one_run_delays_no_other(client: Client) -> None:
    stuck, quick = client.begun("act", "stubborn"), client.begun("act", "obeys")
    client.stop(stuck)
    began = time.monotonic()
    assert client.stopped(quick)["reason"] == "interrupted"
    assert time.monotonic() - began < QUICK_S
    assert client.run(stuck)["status"] == "stopping"
    client.kill(stuck)
    client.ended(stuck)


@pytest.mark.parametrize("body", [{"mode": "gently"}, {"grace_s": -1}, {"grace_s": "long"}, {"wait": "yes"}])
def test_a_stop_that_makes_no_sense_is_refused_and_stops_nothing(client: Client, body: Json) -> None:
    run_id = client.begun("act", "obeys")
    assert client.stop(run_id, **body).status == 400
    assert client.run(run_id)["status"] == "running"
    client.stopped(run_id)


def test_a_stop_that_races_the_start_always_wins(client: Client) -> None:
    for _ in range(RACES):
        run = client.stopped(client.start("act", "obeys"))
        assert (run["status"], run["reason"]) == ("cancelled", "interrupted")


def test_a_kill_that_races_the_start_always_wins(client: Client) -> None:
    for _ in range(RACES):
        run_id = client.start("act", "stubborn")
        client.kill(run_id)
        run = client.ended(run_id)
        assert (run["status"], run["reason"]) == ("cancelled", "killed")
