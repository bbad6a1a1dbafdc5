"""Several facades on one socket: whichever answers, it is one server; one that dies takes only its own along."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

import pytest

from ..support.client import BrokenOff, Client
from ..support.figures import figures
from ..support.pinned import Pinned, pinned
from ..support.server import Server, agent, running
from ..support.waiting import AT_LAST_S, until

FACADES = (1, 2, 3)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = {
        "http": {"workers": len(FACADES)},
        "runs": {"interrupt_grace_s": 30.0},
        "agents": {"act": agent("acting", "act")},
    }
    with running(tmp_path_factory.mktemp("facades"), config) as server:
        for index in FACADES:
            server.member(f"facade {index}")
        server.client.stopped(server.client.begun("act", "obeys"))
        yield server


@pytest.fixture
def client(house: Server) -> Iterator[Client]:
    yield house.client
    house.await_no_runs()


@pytest.fixture
def facades(house: Server, client: Client) -> Iterator[list[Pinned]]:
    """A connection to each."""
    with ExitStack() as stack:
        yield [stack.enter_context(pinned(house, index)) for index in FACADES]


def test_readers_at_different_facades_see_the_same_run_to_its_end(
    client: Client, facades: list[Pinned]
) -> None:
    run_id = client.begun("act", "endless")
    streams = [facade.stream(run_id) for facade in facades]
    for stream in streams:
        stream.until("message.delta")
    client.stop(run_id)
    ends = [stream.rest()[-1].event for stream in streams]
    assert ends == [client.events(run_id)[-1]] * len(FACADES)


def test_a_run_that_streams_at_one_facade_is_stopped_by_another(
    client: Client, facades: list[Pinned]
) -> None:
    run_id = facades[0].start({"agent": "act", "input": "obeys"})
    stream = facades[1].stream(run_id)
    stream.until("message.delta")
    assert facades[2].ask("POST", f"/v1/runs/{run_id}/stop", {}).status == 200
    assert [frame.event["event"] for frame in stream] == ["run.stopping", "run.cancelled"]
    assert client.run(run_id)["reason"] == "interrupted"


def test_a_reader_goes_on_at_another_facade_where_it_was(client: Client, facades: list[Pinned]) -> None:
    run_id = client.begun("act", "endless")
    first = facades[0].stream(run_id)
    seen = [first.until("message.delta")]
    second = facades[1].stream(run_id, Last_Event_ID=seen[-1].id)
    client.stop(run_id)
    seen += second.rest()
    assert [frame.event for frame in seen] == client.events(run_id)[int(seen[0].id) - 1 :]


def test_twins_of_a_start_at_different_facades_are_one_run_while_the_first_is_not_answered_yet(
    house: Server, client: Client, facades: list[Pinned]
) -> None:
    supervisor = house.member("supervisor").pid
    body = {"agent": "act", "input": "obeys", "metadata": {"twin": "yes"}}
    os.kill(supervisor, signal.SIGSTOP)
    try:
        for facade in facades:
            facade.send("POST", "/v1/runs", body, Idempotency_Key="twins")
    finally:
        os.kill(supervisor, signal.SIGCONT)
    answers = [facade.answer() for facade in facades]
    assert [answer.status for answer in answers] == [202] * len(FACADES)
    (run_id,) = {answer.json["run_id"] for answer in answers}
    assert [answer.headers["Idempotency-Replayed"] for answer in answers].count("true") == len(FACADES) - 1
    assert _stop_all(facades[0]) == [run_id]
    client.ended(run_id)


def test_a_start_whose_supervisor_dies_before_it_answers_is_one_run_though_it_is_sent_again(
    house: Server, client: Client, facades: list[Pinned]
) -> None:
    supervisor = house.member("supervisor").pid
    body = {"agent": "act", "input": "obeys", "metadata": {"sent": "again"}}
    os.kill(supervisor, signal.SIGSTOP)
    for facade in facades[:2]:
        facade.send("POST", "/v1/runs", body, Idempotency_Key="crash")
    os.kill(supervisor, signal.SIGKILL)
    answers = [facade.answer() for facade in facades[:2]]
    answers.append(facades[2].ask("POST", "/v1/runs", body, Idempotency_Key="crash"))
    (run_id,) = {answer.json["run_id"] for answer in answers}
    assert _stop_all(facades[2]) == [run_id]
    client.ended(run_id)


def test_a_key_with_another_body_is_a_conflict_at_every_facade(client: Client, facades: list[Pinned]) -> None:
    run_id = facades[0].start({"input": "one"}, Idempotency_Key="conflict")
    for facade in facades:
        answer = facade.ask("POST", "/v1/runs", {"input": "two"}, Idempotency_Key="conflict")
        assert (answer.status, answer.error["code"]) == (409, "idempotency_key_conflict")
    client.ended(run_id)


def test_a_run_that_one_facade_forgot_is_unknown_to_all(client: Client, facades: list[Pinned]) -> None:
    run_id = client.start("echo")
    client.ended(run_id)
    assert facades[0].ask("DELETE", f"/v1/runs/{run_id}").status == 204
    assert [facade.ask("GET", f"/v1/runs/{run_id}").status for facade in facades] == [404] * len(FACADES)


def test_a_facade_that_is_killed_disturbs_nobody_at_the_others(
    house: Server, client: Client, facades: list[Pinned]
) -> None:
    run_id = facades[0].start({"agent": "act", "input": "endless"})
    lost, *kept = [facade.stream(run_id) for facade in facades]
    for stream in (lost, *kept):
        stream.until("message.delta")
    victim = house.member("facade 1").pid
    os.kill(victim, signal.SIGKILL)
    with pytest.raises(BrokenOff):
        lost.rest()
    for stream in kept:
        stream.until("message.delta")
    client.stop(run_id)
    whole = client.events(run_id)
    for stream in kept:
        assert [frame.event for frame in stream][-1] == whole[-1]
    until(lambda: house.member("facade 1").pid != victim, AT_LAST_S, "another facade 1")


def _stop_all(facade: Pinned) -> list[str]:
    stopping: list[str] = facade.ask("POST", "/v1/runs/stop", {"all": True}).json["stopping"]
    return stopping


def test_the_figures_are_those_of_all_facades_whichever_is_asked(
    client: Client, facades: list[Pinned]
) -> None:
    stop = figures(client).of("runward_run_stop_seconds_count")
    for facade in facades:
        client.stopped(facade.start({"agent": "act", "input": "obeys"}))
    started = partial(_starts_answered, client)
    before = started()
    for facade in facades:
        assert facade.ask("POST", "/v1/runs", {"agent": "nobody", "input": "x"}).status == 404
    until(lambda: started() == before + len(FACADES), AT_LAST_S, "every facade's report")
    now = figures(client)
    assert now.of("runward_run_stop_seconds_count") == stop + len(FACADES)
    assert now.of("runward_runs_ended_total", agent="act", status="cancelled") >= len(FACADES)
    assert now.of("runward_events_total") >= 4 * len(FACADES)
    assert now.of("runward_processes", role="facade") == len(FACADES)
    for role in ("root", "supervisor", "facade", "zygote"):
        assert now.of("runward_process_resident_memory_bytes", role=role) > 1_000_000
    for process in ("supervisor", "facade 1", "facade 3"):
        assert now.of("runward_process_starts_total", process=process) >= 1
    assert now.of("runward_journal_size_bytes") > 0
    assert now.of("runward_journal_commit_seconds_count") > 0
    assert now.of("runward_up") == 1


def _starts_answered(client: Client) -> float:
    return figures(client).of("runward_http_requests_total", method="POST", route="/v1/runs", status="404")


@pytest.mark.slow
def test_a_kill_and_the_death_of_one_of_our_processes_are_counted(house: Server, client: Client) -> None:
    before = figures(client)
    run_id = client.begun("act", "obeys")
    client.kill(run_id)
    client.ended(run_id)
    victim = house.member("facade 2").pid
    os.kill(victim, signal.SIGKILL)
    until(lambda: house.member("facade 2").pid != victim, AT_LAST_S, "another facade 2")
    starts = partial(_figure, client, "runward_process_starts_total", process="facade 2")
    was = before.of("runward_process_starts_total", process="facade 2")
    until(lambda: starts() == was + 1, AT_LAST_S, "the report of the new facade 2")
    for name, labels in (
        ("runward_run_kill_seconds_count", {}),
        ("runward_runs_ended_total", {"reason": "killed"}),
    ):
        assert figures(client).of(name, **labels) == before.of(name, **labels) + 1, name


def _figure(client: Client, name: str, **labels: str) -> float:
    return figures(client).of(name, **labels)
