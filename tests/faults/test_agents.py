"""Agents that crash, hang, flood and lie. Each ends by its true reason, and its neighbour notices nothing."""

import re
from collections.abc import Iterator
from uuid import uuid4

import pytest

from ..support import census
from ..support.client import Client, Json
from ..support.server import Server, agent, running
from ..support.waiting import AT_LAST_S

GRACE_S = 0.3
MANY = 100_000
LINES, QUICK_LINES = 1_000_000, 100_000
LOG_BYTES = 65_536
MIB = 1_048_576
AT_IMPORT = {"exits": "leaving", "leaves": "leaving_at_once", "segfaults": "dying"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = {
        "events": {"max_log_bytes": LOG_BYTES},
        "runs": {"interrupt_grace_s": GRACE_S, "default_agent": "bad", "builtin_agents": ["echo"]},
        "agents": {
            "bad": agent("misbehaving", "misbehave"),
            "good": agent("acting", "act"),
            **{f"import-{name}": agent(file, "run") for name, file in AT_IMPORT.items()},
        },
    }
    with running(tmp_path_factory.mktemp("agents"), config) as server:
        for name in ("bad", "good"):
            server.client.ended(server.client.start(name, "answers"))
        yield server


@pytest.fixture
def client(house: Server) -> Iterator[Client]:
    """Beside a run that is in the middle of its work, before and afterwards."""
    with house.without_leftovers():
        client = house.client
        supervisor = house.member("supervisor").pid
        neighbour = client.begun("good", "endless")
        yield client
        assert client.run(neighbour)["status"] == "running"
        assert client.stopped(neighbour, grace_s=AT_LAST_S)["reason"] == "interrupted"
        _check_numbers(client.events(neighbour))
        assert house.member("supervisor").pid == supervisor


def _check_numbers(events: list[Json]) -> None:
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))


def _ended(client: Client, text: str, name: str = "bad") -> Json:
    run = client.ended(client.start(name, text))
    assert run["exit"]["survivors"] == []
    return run


def _ends(run: Json) -> tuple[object, ...]:
    return run["status"], run["reason"], run["exit"]["code"], run["exit"]["signal"]


def _log(client: Client, run: Json, stream: str) -> str:
    return client.ask("GET", f"/v1/runs/{run['run_id']}/logs?stream={stream}").body.decode()


# ── ends ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "ends"),
    [
        ("exits", ("failed", "start_failed", 1, None)),
        ("leaves", ("failed", "exit_code", 7, None)),
        ("segfaults", ("failed", "signal", None, "SIGSEGV")),
    ],
)
def test_an_agent_that_ends_at_import_is_a_failed_run_with_the_cause(
    client: Client, name: str, ends: tuple[object, ...]
) -> None:
    run = _ended(client, "never asked", f"import-{name}")
    assert _ends(run) == ends
    assert run["error"]


def test_a_segmentation_fault_ends_its_own_run_as_a_signal(client: Client) -> None:
    run = _ended(client, "segfaults")
    assert _ends(run) == ("failed", "signal", None, "SIGSEGV")
    assert "Segmentation fault" in run["exit"]["stderr_tail"]


@pytest.mark.parametrize("code", [0, 1, 255])
def test_os_exit_is_an_exit_code_and_no_completion(client: Client, code: int) -> None:
    assert _ends(_ended(client, f"leaves {code}")) == ("failed", "exit_code", code, None)


def test_a_run_that_returned_while_a_thread_hangs_is_completed_once_it_was_killed(client: Client) -> None:
    run = _ended(client, "hangs_in_a_thread")
    assert (run["status"], run["output"], run["exit"]["rung"]) == ("completed", "done", "kill")


def test_a_daemon_is_dead_before_the_end_of_its_run_is_told(client: Client) -> None:
    seconds = f"1000000.{uuid4().int}"
    run_id = client.start("bad", f"fathers {seconds}")
    assert client.events(run_id)[-1]["event"] == "run.completed"
    assert [each for each in census.processes() if each.title == f"sleep {seconds}"] == []


@pytest.mark.parametrize(
    "what",
    ["an object", "a function", "a circle", "a deep nest", "a huge number", "a lock", "keys of two kinds"],
)
def test_an_output_that_can_not_be_json_fails_the_run_and_says_so(client: Client, what: str) -> None:
    run = _ended(client, f"returns {what}")
    assert (run["status"], run["reason"], run["output"]) == ("failed", "exception", None)
    assert "output" in run["error"]


@pytest.mark.parametrize(("what", "output"), [("half a pair", "?"), ("not a number", None)])
def test_an_output_that_json_has_no_word_for_is_told_as_near_as_it_can(
    client: Client, what: str, output: object
) -> None:
    run = _ended(client, f"returns {what}")
    assert (run["status"], run["output"]) == ("completed", output)


def test_an_output_of_50_mb_fails_the_run_and_says_so(client: Client) -> None:
    run = _ended(client, "returns 50 MB")
    assert (run["status"], run["reason"], run["output"]) == ("failed", "exception", None)
    assert "output" in run["error"]


# ── events ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_flood_of_100_000_events_arrives_whole_and_without_a_gap(client: Client) -> None:
    run_id = client.start("bad", f"floods {MANY}")
    events = client.events(run_id)
    _check_numbers(events)
    deltas = [event["delta"] for event in events if event["event"] == "message.delta"]
    assert deltas == list(map(str, range(MANY)))
    assert events[-1]["output"] == str(MANY)


def test_an_event_of_50_mb_is_refused_its_agent_told_and_its_run_goes_on(
    house: Server, client: Client
) -> None:
    supervisor, facade = house.member("supervisor").pid, house.member("facade 1").pid
    before = census.private_bytes(supervisor), census.private_bytes(facade)
    run = _ended(client, "emits_much 50")
    assert (run["status"], run["output"]) == ("completed", "done")
    names = [event["event"] for event in client.events(run["run_id"])]
    assert [name for name in names if name.startswith("note.")] == [
        "note.before",
        "note.between",
        "note.behind",
    ]
    assert _log(client, run, "stderr").count("an event is longer than") == 2
    assert census.private_bytes(supervisor) < before[0] + 4 * MIB
    assert census.private_bytes(facade) < before[1] + 4 * MIB


def test_an_end_that_an_agent_forges_is_refused_and_its_run_has_one_end_the_true_one(client: Client) -> None:
    run = _ended(client, "forges")
    events = client.events(run["run_id"])
    _check_numbers(events)
    assert [event["event"] for event in events] == [
        *("run.queued", "run.started", "note.one", "run.completed"),
    ]
    assert {event["run_id"] for event in events} == {run["run_id"]}
    assert events[-1]["output"] == run["output"] == "its own"
    assert _log(client, run, "stderr").count("belong to the runtime") == 3


# ── descriptors ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_agent_that_closes_all_its_descriptors_is_a_failed_run(client: Client) -> None:
    run = _ended(client, "closes_all")
    assert run["status"] == "failed"
    assert run["error"]


def test_what_an_agent_scribbles_on_its_descriptors_is_refused_and_the_rest_is_taken(client: Client) -> None:
    run = _ended(client, "scribbles")
    assert (run["status"], run["output"]) == ("completed", "done")
    assert "note.whole" in [event["event"] for event in client.events(run["run_id"])]
    assert "not JSON" in _log(client, run, "stderr")


def test_half_a_line_is_no_event(client: Client) -> None:
    run = _ended(client, "half_a_line")
    assert _ends(run) == ("failed", "exit_code", 0, None)
    assert "note.half" not in [event["event"] for event in client.events(run["run_id"])]


def test_an_agent_that_hangs_up_and_goes_on_is_stopped_all_the_same(client: Client) -> None:
    run = client.stopped(client.begun("bad", "hangs_up"), grace_s=0.1)
    assert (run["status"], run["exit"]["survivors"]) == ("cancelled", [])


# ── output ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("count", [QUICK_LINES, pytest.param(LINES, marks=pytest.mark.slow)])
def test_of_very_many_printed_lines_the_first_and_the_last_are_kept_and_the_gap_is_told(
    house: Server, client: Client, count: int
) -> None:
    run = _ended(client, f"prints {count}")
    lines = _log(client, run, "stdout").splitlines()
    assert (lines[0], lines[-1]) == ("0", str(count - 1))
    assert any(re.search(r"runward: \d+ bytes", line) for line in lines)
    kept = house.folder / "state" / "logs" / f"{run['run_id']}.stdout"
    assert kept.stat().st_size <= LOG_BYTES + 1024


def test_stdout_at_full_speed_slows_nobody_and_is_kept_within_its_bound(
    house: Server, client: Client
) -> None:
    run_id = client.begun("bad", "floods_stdout")
    for _ in range(5):
        assert _ended(client, "still quick", "echo")["output"] == "still quick"
    (warden,) = (each for each in house.members("warden") if run_id in each.title)
    assert census.private_bytes(warden.pid) < 32 * MIB
    client.stopped(run_id, mode="kill")
    for stream in ("stdout", "stderr"):
        assert (house.folder / "state" / "logs" / f"{run_id}.{stream}").stat().st_size <= LOG_BYTES + 1024
