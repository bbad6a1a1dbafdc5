"""State folders that can't be used, and disks that fill up under a server. What was accepted is kept, what can't be
kept is not accepted, and a stop ends its run all the while."""

import os
import resource
import shutil
import signal
import socket
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from runward.actors.journal.reader import Reader
from runward.actors.journal.writer import Writer

from ..support import overlay
from ..support.client import Client, Json
from ..support.privileges import without_privileges
from ..support.server import agent, refused, running
from ..support.waiting import AT_LAST_S, until

REFUSED, GAVE_UP = 78, 1
MIB = 1_048_576
MARGIN_BYTES = 16 * MIB  # between what is free and the reserve
CREDIT_EVENTS = 5_000  # of 1 kB: more than may be on their way
FLOODS = 3
LONG_S = 45.0
NO_AUTH = {"auth": {"mode": "none"}}
AGENTS = {"use": agent("using", "use"), "act": agent("acting", "act")}


def _check_numbers(events: list[Json]) -> None:
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))


# ── folders that are refused ──────────────────────────────────────────────────────────────────────────────────────


def _check_refusal(answer: tuple[int, str], *told: str) -> None:
    code, said = answer
    assert code == REFUSED, said
    for word in told:
        assert word in said
    assert "Traceback" not in said


def test_a_state_folder_that_is_read_only_is_refused_and_named(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o500)
    _check_refusal(without_privileges(lambda: refused(tmp_path, NO_AUTH)), str(state), "not writable")
    assert list(state.iterdir()) == []


def test_a_state_folder_on_a_network_file_system_is_refused_by_the_name_of_that(tmp_path: Path) -> None:
    """The type is a shim's; that it is read right is for `tests/actors/journal/test_folder.py`."""
    python = overlay.overlaid(tmp_path / "venv", "on_a_network")
    _check_refusal(refused(tmp_path, NO_AUTH, python), "network file system (nfs4)", "--state")


def test_a_state_folder_of_a_newer_version_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    journal = tmp_path / "state" / "journal.db"
    _make_newer(tmp_path / "state")
    before = journal.read_bytes()
    _check_refusal(refused(tmp_path, NO_AUTH), "newer runward", str(journal))
    assert journal.read_bytes() == before


def _make_newer(state: Path) -> None:
    if not state.exists():
        Writer(state).close()
    with closing(sqlite3.connect(state / "journal.db", isolation_level=None)) as database:
        database.execute("PRAGMA user_version = 99")
        database.execute("PRAGMA journal_mode = DELETE").fetchall()


def test_a_state_folder_without_room_is_refused_and_told_what_to_do(tmp_path: Path) -> None:
    with _files_of_at_most(20_000):
        _check_refusal(refused(tmp_path, NO_AUTH), "no room on its disk", "make room")


def test_a_state_folder_that_is_not_ours_any_more_ends_the_server_with_the_reason_and_its_runs(
    tmp_path: Path,
) -> None:
    """A newer runward took it over while the supervisor was dead."""
    with running(tmp_path, {"agents": AGENTS}) as server:
        server.client.begun("act", "obeys")
        supervisor = server.member("supervisor").pid
        with closing(sqlite3.connect(tmp_path / "state" / "journal.db", isolation_level=None)) as database:
            database.execute("PRAGMA user_version = 99")
        os.kill(supervisor, signal.SIGKILL)
        assert server.await_end() == GAVE_UP
        assert "giving up: the journal" in server.log
        assert "newer runward" in server.log
        assert "Traceback" not in server.log


@contextmanager
def _files_of_at_most(size: int) -> Iterator[None]:
    """What is started meanwhile can't write a file past this size (setrlimit(2)), which anybody may set."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# ── a disk that runs short ────────────────────────────────────────────────────────────────────────────────────────


class Disk:
    """The disk of a server: memory, so that nothing else fills it. `fill` leaves less than the reserve."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        found = os.statvfs(folder)
        self.reserve_bytes = found.f_bavail * found.f_frsize - MARGIN_BYTES

    def fill(self) -> None:
        with (self.folder / "ballast").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, 2 * MARGIN_BYTES)

    def free(self) -> None:
        (self.folder / "ballast").unlink(missing_ok=True)


@pytest.fixture(scope="module")
def disk() -> Iterator[Disk]:
    folder = Path(tempfile.mkdtemp(prefix="rw", dir="/dev/shm"))
    yield Disk(folder)
    shutil.rmtree(folder)


class Short(NamedTuple):
    """A server whose disk is short of room, and runs that began only then: they flood."""

    client: Client
    floods: list[str]


@pytest.fixture(scope="module")
def short(disk: Disk) -> Iterator[Short]:
    limits = {"max_live": FLOODS + 1}
    config = {"state": {"reserve_bytes": disk.reserve_bytes}, "runs": limits, "agents": AGENTS}
    with running(disk.folder, config) as server:
        client = server.client
        before = [client.begun("act", "obeys") for _ in range(FLOODS)]
        other = client.begun("act", "stubborn")
        floods = [client.start("use", "floods_events") for _ in range(FLOODS)]  # they wait for their turn
        disk.fill()
        _await_shortness(client)
        for run_id in before:
            run = client.stopped(run_id)
            assert (run["status"], run["reason"], run["output"]) == ("cancelled", "interrupted", "so far")
        for run_id in floods:
            with client.stream(run_id) as stream:
                stream.until("message.delta")
        yield Short(client, floods)
        client.ask("POST", "/v1/runs/stop", {"all": True, "mode": "kill"})
        assert client.ended(other)["exit"]["survivors"] == []
        disk.free()


def _await_shortness(client: Client) -> None:
    def is_refused() -> bool:
        answer = client.ask("POST", "/v1/runs", {"agent": "act", "input": "answers"})
        if answer.status == 202:
            client.kill(answer.json["run_id"])
            return False
        assert (answer.status, answer.error["code"]) == (507, "journal_full")
        assert int(answer.headers["Retry-After"]) >= 1
        return True

    until(is_refused, AT_LAST_S, "a refusal for want of room")


@pytest.mark.parametrize("mode", ["interrupt", "kill"])
def test_below_the_reserve_a_run_that_waits_for_room_is_stopped_with_its_whole_receipt(
    short: Short, mode: str
) -> None:
    client, flood = short.client, short.floods.pop()
    run = client.stopped(flood, mode=mode, grace_s=0.2)
    assert run["status"] == "cancelled"
    assert (run["exit"]["survivors"], bool(run["exit"]["proof"])) == ([], True)
    assert run["exit"]["max_rss_bytes"], "its warden was heard to the end"
    _check_numbers(client.events(flood))


def test_below_the_reserve_new_runs_are_507_and_a_flood_waits_until_there_is_room(
    disk: Disk, short: Short
) -> None:
    client, flood = short.client, short.floods.pop()
    _await_shortness(client)
    for _ in range(50):
        assert client.run(flood)["status"] == "running"
    waits_at = client.run(flood)["last_seq"]
    assert waits_at < CREDIT_EVENTS
    disk.free()
    until(lambda: client.run(flood)["last_seq"] > waits_at + CREDIT_EVENTS, LONG_S, "its flow")
    client.stopped(flood, mode="kill")
    _check_numbers(client.events(flood))
    disk.fill()


# ── a disk that is full ───────────────────────────────────────────────────────────────────────────────────────────


def test_when_the_disk_is_full_runs_wait_and_nothing_that_was_seen_is_lost_once_there_is_room(
    tmp_path: Path,
) -> None:
    """As if it were: by a limit to the size of files, under which the reserve seems to be there."""
    with ExitStack() as stack:
        with _files_of_at_most(4 * MIB):
            quick = {"supervision": {"command_timeout_s": 0.5}}
            server = stack.enter_context(running(tmp_path, {**quick, "agents": AGENTS}))
        client = server.client
        other, flood = client.begun("act", "obeys"), client.start("use", "floods_events")
        until(lambda: "no room for the journal" in server.log, LONG_S, "a full disk")
        with closing(Reader(tmp_path / "state")) as journal:
            seen = _last_seq(journal, flood)
        answer = client.ask("POST", "/v1/runs", {"agent": "act", "input": "answers"})
        assert (answer.status, answer.error["code"]) == (507, "journal_full")
        assert client.is_healthy()
        for pid in (server.pid, server.member("supervisor").pid):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (-1, -1))
        until(client.is_healthy, AT_LAST_S, "health")
        until(lambda: client.run(flood)["last_seq"] > seen, LONG_S, "its flow")
        assert client.stopped(other)["reason"] == "interrupted"
        client.stopped(flood, mode="kill")
        _check_numbers(client.events(flood))
        assert "Traceback" not in server.log


def _last_seq(journal: Reader, run_id: str) -> int:
    found = journal.run(run_id)
    assert found is not None
    last = journal.last(found[0])
    return 0 if last is None else last.seq


# ── a port that is taken ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_port_that_is_taken_is_refused_and_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        _check_refusal(refused(tmp_path, {**NO_AUTH, "http": {"port": port}}), f"127.0.0.1:{port}", "--port")
