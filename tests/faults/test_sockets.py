"""Whoever finds the sockets of a running server but has no key, and a warden that was taken over: noise, floods,
forged and replayed frames. Runs go on undisturbed, and new ones start."""

import random
import resource
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import zmq

from runward.actors import wire
from runward.actors.mailbox import KeyPair
from runward.actors.messages.commands import StartRun, StopRuns
from runward.actors.records import RunInput

from ..actors.posts import Tap, raw_connection
from ..actors.test_mailbox_doors import NOISE
from ..support import overlay
from ..support.client import Client, Json
from ..support.server import Server, agent, running
from ..support.waiting import AT_LAST_S, until

MAILBOXES = ("commands", "runs", "feed")
CROWD = 300
USUAL = 1024  # descriptors
CHANCE = random.Random(11)
ANOTHER, UNLAWFUL = "spoke for another run", "sent what it may not send"
STOP_ALL = wire.encode(StopRuns("forged", None, mode="kill"))
START = wire.encode(StartRun("forged", "run_forged", "", "act", RunInput(input="obeys")))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Wardens of its agent "forger" were taken over."""
    python = overlay.overlaid(tmp_path_factory.mktemp("python") / "venv", "taken_over")
    config = {"agents": {"act": agent("acting", "act"), "forger": agent("acting", "act")}}
    with running(tmp_path_factory.mktemp("sockets"), config, python=python) as server:
        for name in ("act", "forger"):
            server.client.ended(server.client.start(name, "answers"))
        yield server


@pytest.fixture
def client(house: Server) -> Iterator[Client]:
    """Beside a run that talks all the while."""
    with house.without_leftovers():
        client = house.client
        ours = [house.member(title).pid for title in ("supervisor", "facade 1")]
        neighbour = client.begun("act", "endless")
        runs = _run_ids(client)
        yield client
        assert [house.member(title).pid for title in ("supervisor", "facade 1")] == ours
        assert client.run(neighbour)["status"] == "running"
        last = client.run(neighbour)["last_seq"]
        until(lambda: client.run(neighbour)["last_seq"] > last, AT_LAST_S, "another event")
        assert "run_forged" not in _run_ids(client) - runs
        assert client.stopped(neighbour)["reason"] == "interrupted"
        _check_numbers(client.events(neighbour))


def _run_ids(client: Client) -> set[str]:
    return {run["run_id"] for run in client.ask("GET", "/v1/runs?limit=200").json["data"]}


def _check_numbers(events: list[Json]) -> None:
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))


def _works(client: Client) -> None:
    assert client.is_healthy()
    assert client.ended(client.start("act", "answers still there"))["output"] == "still there"


# ── without a key ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mailbox", MAILBOXES)
def test_noise_at_a_mailbox_disturbs_no_run(house: Server, client: Client, mailbox: str) -> None:
    with ExitStack() as noisy:
        for noise in (*NOISE.values(), *(CHANCE.randbytes(10_000) for _ in range(10))):
            connection = noisy.enter_context(raw_connection(house.mailboxes / mailbox))
            try:
                connection.sendall(noise)
            except BrokenPipeError:
                continue
        _works(client)


@pytest.mark.parametrize("mailbox", MAILBOXES)
def test_a_flood_of_connections_at_a_mailbox_keeps_no_run_from_starting(
    house: Server, client: Client, mailbox: str
) -> None:
    with ExitStack() as crowd:
        for _ in range(CROWD):
            crowd.enter_context(raw_connection(house.mailboxes / mailbox))
        for _ in range(3):
            _works(client)
    _works(client)


def test_more_connections_than_a_process_may_usually_hold_do_not_end_the_supervisor(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """libzmq aborts its process where there is no descriptor left to accept with."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4 * USUAL:
        pytest.fail(f"this needs a hard limit of {4 * USUAL} descriptors; here it is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (USUAL, hard))
    config = {"agents": {"act": agent("acting", "act")}}
    with ExitStack() as closing:
        house = closing.enter_context(running(tmp_path_factory.mktemp("flooded"), config))
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        closing.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        supervisor = house.member("supervisor").pid
        for _ in range(USUAL + 100):
            closing.enter_context(raw_connection(house.mailboxes / "commands"))
        _works(house.client)
        assert house.member("supervisor").pid == supervisor
        zygote = house.member("zygote act").pid
        assert resource.prlimit(zygote, resource.RLIMIT_NOFILE) == (USUAL, hard), "what its runs are used to"


@pytest.mark.parametrize("has_keys", [False, True], ids=["no key", "a wrong key"])
@pytest.mark.parametrize("mailbox", ["commands", "runs"])
def test_frames_that_are_forged_without_the_right_key_do_nothing(
    house: Server, client: Client, mailbox: str, has_keys: bool
) -> None:
    context = zmq.Context(io_threads=1)
    try:
        dealer = context.socket(zmq.DEALER)
        watched = dealer.get_monitor_socket()
        if has_keys:
            own, server = KeyPair.generate(), KeyPair.generate()
            dealer.curve_publickey, dealer.curve_secretkey = own.public, own.secret
            dealer.curve_serverkey = server.public
        dealer.connect(f"ipc://{house.mailboxes / mailbox}")
        for body in (STOP_ALL, START):
            dealer.send(body)
        _await_refusal(watched)
        assert dealer.poll(0) == 0
    finally:
        context.destroy(linger=0)
    _works(client)


def _await_refusal(watched: "zmq.Socket[bytes]") -> None:
    """Return once the connection was refused, or broken off in the middle of its greeting."""
    refusals = (
        zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL,
        zmq.EVENT_HANDSHAKE_FAILED_AUTH,
        zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL,
        zmq.EVENT_DISCONNECTED,
    )

    def is_refused() -> bool:
        while watched.poll(0):
            number = int.from_bytes(watched.recv_multipart()[0][:2], "little")
            assert number != zmq.EVENT_HANDSHAKE_SUCCEEDED
            if number in refusals:
                return True
        return False

    until(is_refused, AT_LAST_S, "a refusal")


def test_what_a_warden_said_is_secret_on_the_wire_and_replayed_it_does_nothing(
    house: Server, client: Client
) -> None:
    recorded, run_id = _tapped(house.mailboxes / "runs", client)
    events = client.events(run_id)
    assert len(recorded) > 1000
    assert b"marker" not in recorded
    for mailbox in ("runs", "commands") * 5:
        with raw_connection(house.mailboxes / mailbox) as connection:
            connection.sendall(recorded)
            while connection.recv(4096):
                pass  # until the server has had enough of it
    _works(client)
    assert client.events(run_id) == events


def _tapped(path: Path, client: Client) -> tuple[bytes, str]:
    """All that the warden of a run sent, which went through our hands."""
    behind = path.with_suffix(".true")
    path.rename(behind)
    try:
        tap = Tap(path, behind)
        try:
            run_id = client.start("act", "answers marker")
            until(
                lambda: tap.turn() and client.run(run_id)["status"] == "completed", AT_LAST_S, "the run's end"
            )
        finally:
            tap.close()
    finally:
        behind.rename(path)
    return tap.recorded, run_id


# ── with a run's own key ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("what", "told"),
    [
        *(("the-end-of-another", ANOTHER), ("events-of-another", ANOTHER), ("a-later-attempt", ANOTHER)),
        *(("its-own-end", UNLAWFUL), ("a-gap", UNLAWFUL), ("too-much-at-once", UNLAWFUL)),
        *(("a-false-count", UNLAWFUL), ("noise", "not a message")),
    ],
)
def test_a_warden_that_was_taken_over_and_forges_is_killed_and_its_run_lost(
    client: Client, what: str, told: str
) -> None:
    victim = client.begun("act", "obeys")
    before = client.run(victim)["last_seq"]
    run = client.ended(client.start("forger", f"forge {what} {victim}"))
    assert (run["status"], run["reason"], run["output"]) == ("failed", "lost", None)
    assert told in run["error"]
    assert (run["exit"]["survivors"], bool(run["exit"]["proof"])) == ([], True)
    _check_numbers(client.events(run["run_id"]))
    assert (client.run(victim)["status"], client.run(victim)["last_seq"]) == ("running", before)
    assert client.stopped(victim)["reason"] == "interrupted"


def test_a_batch_that_a_warden_sends_again_is_written_once(client: Client) -> None:
    run = client.ended(client.start("forger", "forge a-batch-again run_0"))
    names = [event["event"] for event in client.events(run["run_id"])]
    assert names.count("note.forged") == 1
