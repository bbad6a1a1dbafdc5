"""Limits on what a run may take of the machine, each against a real run that takes all it can, on every kill rung.

Who holds a limit is the machine's affair, and said in the run; that it is held is told by what the run got.
"""

import errno
from collections.abc import Iterator
from typing import Any

import pytest

from ..support.client import Client, Json
from ..support.rungs import RUNGS, skip_unless_held
from ..support.server import Server, agent, running

MEMORY_BYTES = 1 << 27
STEP_BYTES = 1 << 22


@pytest.fixture(scope="module", params=RUNGS)
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = {
        "containment": {"kill": skip_unless_held(request.param)},
        "runs": {"interrupt_grace_s": 1.0, "builtin_agents": ["echo"]},
        "agents": {
            "fill": agent("filling", "fill"),
            "keep": agent("filling", "fill", work_folder="keep"),
        },
    }
    with running(tmp_path_factory.mktemp("taken"), config) as server:
        server.client.ended(server.client.start("echo"))
        yield server


@pytest.fixture
def client(house: Server) -> Iterator[Client]:
    with house.without_leftovers():
        yield house.client


def _ended(client: Client, text: str, limits: dict[str, float] | None = None) -> Json:
    return client.ended(client.start("fill", text, limits=limits or {}))


def _held(run: Json, axis: str) -> str:
    """By whom; skips where nothing here can."""
    applied: dict[str, str] = run["containment"]["applied"]
    if axis not in applied:
        [why] = [each for each in run["containment"]["missing"] if each.startswith(f"{axis}: ")]
        pytest.skip(why)
    return applied[axis]


# ── memory ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("way", ["heap", "slowly 500000000", "many_small"])
def test_who_takes_more_memory_than_he_may_is_killed_for_that(client: Client, way: str) -> None:
    run = _ended(client, way, {"memory_bytes": MEMORY_BYTES})
    assert _held(run, "memory") in ("cgroup", "warden")
    assert (run["status"], run["reason"]) == ("failed", "memory_limit")
    assert run["exit"]["signal"] == "SIGKILL"
    assert "memory" in run["error"]


@pytest.mark.parametrize("way", ["shared_memory", "memory_files"])
def test_memory_that_is_nobodys_own_counts_where_a_cgroup_counts(client: Client, way: str) -> None:
    run = _ended(client, way, {"memory_bytes": MEMORY_BYTES})
    if _held(run, "memory") != "cgroup":
        pytest.skip("who only watches processes sees their own memory")
    assert run["reason"] == "memory_limit"


@pytest.mark.slow
def test_what_the_kernel_keeps_of_files_is_given_back_and_ends_nobody(client: Client) -> None:
    """On disk, more than the run's whole memory."""
    run = client.ended(client.start("keep", "page_cache", limits={"memory_bytes": MEMORY_BYTES}))
    assert (run["status"], run["output"]) == ("completed", 48 * STEP_BYTES)


def test_who_fills_his_work_folder_is_told_that_it_is_full_and_nobody_else_is(client: Client) -> None:
    room = 8 * STEP_BYTES
    run = _ended(client, "the_disk", {"work_folder_bytes": room})
    if run["containment"]["applied"].get("work_folder") != "tmpfs":
        pytest.skip("its work folder is on disk here")
    size, said = run["output"]
    assert (room - STEP_BYTES <= size <= room, said) == (True, errno.ENOSPC)


def test_when_a_child_takes_too_much_the_run_ends_as_one_and_no_other_is_hurt(client: Client) -> None:
    run = _ended(client, "a_child", {"memory_bytes": MEMORY_BYTES})
    _held(run, "memory")
    assert run["reason"] == "memory_limit"
    assert client.ended(client.start("echo", "well"))["output"] == "well"


def test_who_keeps_to_his_memory_is_left_alone(client: Client) -> None:
    run = _ended(client, f"slowly {16 * STEP_BYTES}", {"memory_bytes": 2 * MEMORY_BYTES})
    assert (run["status"], run["output"]) == ("completed", 16 * STEP_BYTES)


def test_agents_go_first_when_the_machine_runs_out_of_memory(client: Client) -> None:
    assert _ended(client, "who_goes_first")["output"] == [1000]


# ── processes, descriptors, files ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("pids", [1, 10])
def test_so_many_processes_and_then_the_fork_fails(client: Client, pids: int) -> None:
    run = _ended(client, "processes", {"pids": pids})
    assert _held(run, "pids") in ("cgroup", "rlimit")
    assert (run["status"], run["output"]) == ("completed", pids)


def test_two_runs_have_each_their_own_processes(client: Client) -> None:
    both = [client.start("fill", "processes", limits={"pids": 12}) for _ in range(2)]
    runs = [client.ended(run_id) for run_id in both]
    _held(runs[0], "pids")
    assert [run["output"] for run in runs] == [12, 12]


def test_threads_are_processes_too(client: Client) -> None:
    run = _ended(client, "threads", {"pids": 20})
    _held(run, "pids")
    assert run["output"] == 19


def test_without_being_asked_a_run_has_at_most_64_processes(client: Client) -> None:
    run = _ended(client, "processes")
    _held(run, "pids")
    assert run["output"] == 64


def test_so_many_descriptors_and_then_the_call_fails(client: Client) -> None:
    assert _ended(client, "descriptors", {"open_files": 50})["output"] == 50
    assert _ended(client, "descriptors")["output"] == 1024


def test_a_file_of_this_size_and_then_the_call_fails(client: Client) -> None:
    run = _ended(client, "a_file", {"file_bytes": 3 * STEP_BYTES})
    assert run["output"] == [3 * STEP_BYTES, errno.EFBIG]
    assert run["containment"]["applied"]["file"] == "rlimit"


FENCES: list[tuple[str, str]] = [
    ("Max open files", "50 50"),
    ("Max file size", "1000000 1000000"),
    ("Max cpu time", "9 11"),
    ("Max core file size", "0 0"),
]


def test_what_the_kernel_holds_can_not_be_taken_back(client: Client) -> None:
    limits = {"open_files": 50, "file_bytes": 1_000_000, "cpu_s": 7.5}
    told: dict[str, Any] = _ended(client, "limits", limits)["output"]
    assert [(name, told[name]) for name, _ in FENCES] == FENCES


# ── output ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_so_many_events_and_no_more(client: Client) -> None:
    run = _ended(client, "events", {"output_events": 1000})
    assert (run["reason"], run["containment"]["applied"]["output_events"]) == ("output_limit", "warden")
    assert run["last_seq"] >= 1000
