"""Every method of both clients against a real server, and streams that outlive the facade that served them."""

import os
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from runward import (
    AgentNotFound,
    AsyncClient,
    Client,
    Conflict,
    Event,
    InvalidRequest,
    RunCancelled,
    RunEnded,
    RunFailed,
    RunNotFound,
    Unauthorized,
    WaitTimeout,
)

from ..support.server import Server, running
from ..support.waiting import AT_LAST_S, until

KEY = "a-key-for-the-tests"
CONFIG = {
    "runs": {"interrupt_grace_s": 0.3, "terminate_grace_s": 0.3},
    "supervision": {"restart_intensity": 50, "restart_period_s": 1.0},
    "http": {"retry_ms": 200},
    "agents": {
        "count": {"entrypoint": "runward.actors.builtin:count", "options": {"interval_s": 0.005}},
        "slow": {"entrypoint": "runward.actors.builtin:count", "options": {"interval_s": 3600}},
    },
}
LONG = 300  # events of count: 1.5 s


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("server"), CONFIG, KEY) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Client:
    return Client(server.url, KEY)


@pytest.fixture
async def asynchronous(server: Server) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(server.url, KEY) as client:
        yield client


def spoken(events: list[Event]) -> str:
    return "".join(event.text for event in events)


def counted(last: int) -> str:
    return "".join(f"{number}\n" for number in range(1, last + 1))


def seqs(events: list[Event]) -> list[int]:
    return [event.seq for event in events]


def test_a_run_from_its_start_to_its_output(client: Client) -> None:
    run = client.start("5", "count", session_id="s", metadata={"a": "b"})
    events = list(run.stream())
    assert seqs(events) == list(range(1, len(events) + 1))
    assert events[-1].ends_run
    assert spoken(events) == counted(5)
    assert run.result() == counted(5)
    ended = client.get(run.run_id)
    assert (ended.status, ended.session_id, ended.metadata) == ("completed", "s", {"a": "b"})
    assert ended.exit is not None
    assert ended.exit.survivors == []
    assert client.events(run.run_id, after=3) == tuple(events[3:])
    assert list(client.stream(run.run_id, after=len(events))) == []


async def test_a_run_from_its_start_to_its_output_async(asynchronous: AsyncClient) -> None:
    run = await asynchronous.start("5", "count", session_id="s", metadata={"a": "b"})
    events = [event async for event in run.stream()]
    assert seqs(events) == list(range(1, len(events) + 1))
    assert spoken(events) == await run.result() == counted(5)
    ended = await asynchronous.get(run.run_id)
    assert (ended.status, ended.session_id, ended.metadata) == ("completed", "s", {"a": "b"})
    assert await asynchronous.events(run.run_id, after=3) == tuple(events[3:])
    assert [event async for event in asynchronous.stream(run.run_id, after=len(events))] == []


def test_a_run_that_lives_is_looked_at_waited_for_and_stopped(client: Client) -> None:
    run = client.start("9", "slow")
    with run.stream() as stream:
        assert next(event for event in stream if event.text).text == "1\n"
    assert spoken(list(client.events(run.run_id))) == "1\n"
    assert run.run_id in [each.run_id for each in client.list(status="running", agent="slow")]
    assert run.get().process is not None
    with pytest.raises(WaitTimeout):
        run.wait(timeout_s=0.1)
    assert run.stop().status in ("stopping", "cancelled")
    assert run.wait(timeout_s=20).reason == "interrupted"
    with pytest.raises(RunCancelled) as cancelled:
        run.result()
    assert cancelled.value.reason == "interrupted"
    assert cancelled.value.exit.rung == "interrupt"
    with pytest.raises(RunEnded):
        run.stop()


async def test_a_run_that_lives_is_looked_at_waited_for_and_stopped_async(asynchronous: AsyncClient) -> None:
    run = await asynchronous.start("9", "slow")
    async with run.stream() as stream:
        assert [event.text async for event in _first_delta(stream)] == ["1\n"]
    assert run.run_id in [each.run_id async for each in asynchronous.list(status="running", agent="slow")]
    with pytest.raises(WaitTimeout):
        await run.wait(timeout_s=0.1)
    assert (await run.kill(wait=True, timeout_s=20)).reason == "killed"
    with pytest.raises(RunCancelled):
        await run.result()
    with pytest.raises(RunEnded):
        await run.stop()


async def _first_delta(events: AsyncIterator[Event]) -> AsyncIterator[Event]:
    async for event in events:
        if event.text:
            yield event
            return


def test_a_kill_gives_no_grace(client: Client) -> None:
    run = client.start("x", "spin")
    killed = client.kill(run.run_id, reason="test", wait=True, timeout_s=20)
    assert (killed.status, killed.reason) == ("cancelled", "killed")


def test_a_run_that_fails_says_why_and_shows_what_it_wrote(client: Client) -> None:
    with pytest.raises(RunFailed, match="crashed, as asked") as failed:
        client.start("exception", "crash").result(timeout_s=20)
    assert failed.value.reason == "exception"
    assert "RuntimeError" in failed.value.__notes__[0]


def test_the_list_turns_its_pages(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runward.http.api_calls.PAGE", 2)
    started = [client.start("x", "echo", session_id="pages").run_id for _ in range(5)]
    listed = [run.run_id for run in client.list(session_id="pages")]
    assert sorted(listed) == sorted(started)


async def test_the_list_turns_its_pages_async(
    asynchronous: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runward.http.api_calls.PAGE", 2)
    started = [(await asynchronous.start("x", "echo", session_id="apages")).run_id for _ in range(5)]
    listed = [run.run_id async for run in asynchronous.list(session_id="apages")]
    assert sorted(listed) == sorted(started)


async def test_agents_and_health(client: Client, asynchronous: AsyncClient) -> None:
    assert {"count", "slow", "echo"} <= {agent.name for agent in client.agents()}
    assert await asynchronous.agents()
    assert client.health()
    assert await asynchronous.health(timeout_s=5)


async def test_a_refusal_has_its_type_in_both(server: Server, client: Client) -> None:
    async with AsyncClient(server.url, KEY) as asynchronous:
        with pytest.raises(RunNotFound):
            client.get("run_nowhere")
        with pytest.raises(RunNotFound):
            await asynchronous.get("../../health")
        with pytest.raises(RunNotFound):
            [event async for event in asynchronous.stream("run_nowhere")]
        with pytest.raises(AgentNotFound):
            client.start("x", "nobody")
        with pytest.raises(InvalidRequest) as invalid:
            client.start("", "echo")
        assert invalid.value.error["param"] == "input"
        with pytest.raises(Unauthorized):
            Client(server.url, "wrong").get("run_nowhere")


async def test_logs_are_read_by_both(client: Client, asynchronous: AsyncClient) -> None:
    run = await asynchronous.start("exception", "crash")
    assert (await run.wait(timeout_s=20)).status == "failed"
    written = "".join([part async for part in asynchronous.logs(run.run_id, follow=True)])
    assert "crashed, as asked" in written
    assert "".join(client.logs(run.run_id)) == written
    assert [part async for part in asynchronous.logs(run.run_id, stream="stdout")] == []
    last = [part async for part in asynchronous.logs(run.run_id, stream="stderr", tail=1)]
    assert "".join(last).splitlines() == written.splitlines()[-1:]
    with pytest.raises(RunNotFound):
        [part async for part in asynchronous.logs("run_nowhere")]


async def test_where_a_run_is_is_told_to_both(client: Client, asynchronous: AsyncClient) -> None:
    run = await asynchronous.start("9", "slow")
    async with run.stream() as stream:
        assert [event.text async for event in _first_delta(stream)] == ["1\n"]
    # It may just be writing what was read.
    until(lambda: "in count" in client.stack(run.run_id), AT_LAST_S, "an agent that waits")
    assert "in count" in await asynchronous.stack(run.run_id)
    await run.kill(wait=True, timeout_s=20)
    with pytest.raises(Conflict):
        await asynchronous.stack(run.run_id)


async def test_all_that_match_are_stopped_by_both(client: Client, asynchronous: AsyncClient) -> None:
    ours = [(await asynchronous.start("x", "spin", session_id="all")).run_id for _ in range(2)]
    assert sorted(await asynchronous.stop_all(session_id="all", mode="kill", grace_s=0)) == sorted(ours)
    assert {(await asynchronous.wait(each, timeout_s=20)).reason for each in ours} == {"killed"}
    theirs = client.start("x", "spin", session_id="all").run_id
    assert client.stop_all(session_id="all", mode="kill", grace_s=0) == (theirs,)
    assert client.wait(theirs, timeout_s=20).reason == "killed"


async def test_a_stream_may_be_given_a_time_by_both(client: Client, asynchronous: AsyncClient) -> None:
    run = await asynchronous.start("9", "slow")
    with pytest.raises(WaitTimeout):
        [event async for event in run.stream(timeout_s=0.1)]
    with pytest.raises(WaitTimeout):
        list(client.stream(run.run_id, timeout_s=0.1))
    await run.kill(wait=True, timeout_s=20)


def test_one_client_serves_many_threads(client: Client) -> None:
    outputs: list[Any] = []
    threads = [
        threading.Thread(target=lambda n=n: outputs.append(client.start(f"{n}", "echo").result(20)))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outputs) == [str(n) for n in range(8)]


def kill_facade(server: Server) -> None:
    """As the out-of-memory killer would. The next one is on its way."""
    os.kill(server.member("facade 1").pid, signal.SIGKILL)


@pytest.mark.parametrize("killed_at", [[1], [50, 51, 200]])
def test_a_stream_whose_facade_is_killed_goes_on_and_gives_each_event_once(
    killed_at: list[int], server: Server, client: Client
) -> None:
    losses: list[str] = []
    run_id = client.start(str(LONG), "count").run_id
    events = []
    for event in client.stream(run_id, on_loss=losses.append):
        events.append(event)
        if event.seq in killed_at:
            kill_facade(server)
    assert seqs(events) == list(range(1, LONG + 4))
    assert spoken(events) == counted(LONG)
    assert losses


async def test_a_stream_whose_facade_is_killed_goes_on_async(
    server: Server, asynchronous: AsyncClient
) -> None:
    losses: list[str] = []
    run_id = (await asynchronous.start(str(LONG), "count")).run_id
    events = []
    async for event in asynchronous.stream(run_id, on_loss=losses.append):
        events.append(event)
        if event.seq in (40, 150):
            kill_facade(server)
    assert seqs(events) == list(range(1, LONG + 4))
    assert spoken(events) == counted(LONG)
    assert losses


async def test_a_wait_outlives_the_facade_too(
    server: Server, client: Client, asynchronous: AsyncClient
) -> None:
    run = client.start(str(LONG), "count")
    kill_facade(server)
    assert run.wait(timeout_s=30).output == counted(LONG)
    kill_facade(server)
    assert (await asynchronous.wait(run.run_id, timeout_s=30)).output == counted(LONG)
