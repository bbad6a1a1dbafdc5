"""Streams of the client against real sockets: how they resume, wait, give up and let go."""

import gc
import itertools
import os
import signal
import socket
import threading
import weakref
from typing import Any

import pytest

from runward.http.api_address import Address
from runward.http.api_client import Client
from runward.http.api_errors import (
    ApiError,
    ClientError,
    ServerUnreachable,
)
from runward.http.api_events import EventStream
from runward.http.api_transport import Transport

from ..bin.fake_server import KEY, FakeRun, FakeServer
from ..bin.processes import free_port
from .answering import answer_once


def numbers(stream: EventStream) -> list[int]:
    return [event.seq for event in stream]


def talk(run: FakeRun) -> None:
    for number in range(6):
        run.emit("message.delta", delta=str(number))
    run.emit("run.completed", output="", usage={})


def test_events_come_in_order_to_the_end(client: Client, fake: FakeServer) -> None:
    fake.agents["echo"] = talk
    fake.add("run_1")
    assert numbers(client.stream("run_1")) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert numbers(client.stream("run_1", after=6)) == [7, 8]


def test_an_ended_run_that_we_have_all_of_gives_nothing(client: Client, fake: FakeServer) -> None:
    fake.add("run_1")
    assert not numbers(client.stream("run_1", after=4))
    assert fake.resumed_from == [4]


@pytest.mark.parametrize("cuts", [[0], [3], [7], [0, 0, 0], [1, 1, 1, 1, 1, 1, 1], [5, 2]])
def test_a_stream_cut_within_a_frame_goes_on_where_it_stood(
    cuts: list[int], client: Client, fake: FakeServer
) -> None:
    fake.agents["echo"] = talk
    fake.add("run_1")
    fake.cut_after = list(cuts)
    losses: list[str] = []
    assert numbers(client.stream("run_1", on_loss=losses.append)) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert len(losses) == len(cuts)
    assert fake.resumed_from == [0, *itertools.accumulate(cuts)]


def transport(url: str) -> Transport:
    return Transport(Address(url, KEY), 5)


def test_a_server_that_restarts_is_asked_again_ever_more_slowly(fake: FakeServer) -> None:
    fake.add("run_1")
    busy: dict[str, Any] = {"error": {"message": "Back soon", "code": "supervisor_unreachable"}}
    fake.refusals = [(503, busy, {"Retry-After": "2"}), *[(503, busy, {})] * 6]
    waits: list[float] = []
    stream = EventStream(transport(fake.url), "/v1/runs/run_1/events", sleep=waits.append)
    assert numbers(stream) == [1, 2, 3, 4]
    assert waits == [2.0, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0]


def test_patience_with_a_dead_server_ends() -> None:
    now = itertools.count(step=0.5)
    url = f"http://127.0.0.1:{free_port()}"
    slept: list[float] = []
    stream = EventStream(
        transport(url), "/", patience_s=3, sleep=slept.append, clock=lambda: float(next(now))
    )
    with pytest.raises(ServerUnreachable):
        numbers(stream)
    assert 1 <= len(slept) <= 6


def test_a_run_that_is_unknown_is_not_waited_for(client: Client) -> None:
    with pytest.raises(ApiError) as caught:
        numbers(client.stream("run_1"))
    assert caught.value.code == "run_not_found"


@pytest.mark.parametrize("frame", [b"data: no\n\n", b"data: []\n\n", b"data: {}\n\n", b"id: x\ndata: {}\n\n"])
def test_what_is_no_event_ends_the_stream_with_an_error(frame: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
        answering = threading.Thread(target=answer_once, args=(server, head + frame))
        answering.start()
        client = Client(f"http://127.0.0.1:{server.getsockname()[1]}", timeout_s=5)
        with pytest.raises(ClientError, match="no event"):
            numbers(client.stream("run_1"))
        answering.join()


def test_events_without_following_are_those_that_there_are(client: Client, fake: FakeServer) -> None:
    fake.add("run_1", "spin")
    assert [event.seq for event in client.events("run_1")] == [1, 2]
    assert [event.seq for event in client.events("run_1", after=1)] == [2]
    assert client.events("run_1", after=2) == ()


def test_a_gap_is_an_event_and_is_not_asked_for_again(client: Client, fake: FakeServer) -> None:
    run = fake.add("run_1", "spin")
    run.events[0] |= {"event": "stream.gap", "from": 1, "to": 1}
    fake.cut_after = [1]
    stream = client.stream("run_1")
    gap = next(stream)
    assert (gap.event, gap.seq, gap.fields["to"]) == ("stream.gap", 1, 1)
    assert next(stream).seq == 2
    assert fake.resumed_from == [0, 1]
    stream.close()


def test_a_stream_that_nobody_holds_closes_its_connection_at_once(client: Client, fake: FakeServer) -> None:
    fake.add("run_1", "spin")
    stream = client.stream("run_1")
    next(stream)
    events = weakref.ref(vars(stream)["_events"])
    gc.disable()
    try:
        del stream
        assert events() is None
    finally:
        gc.enable()


def test_ctrl_c_in_a_stream_closes_it(client: Client, fake: FakeServer) -> None:
    fake.add("run_1", "spin")
    stream = client.stream("run_1")
    assert [next(stream).seq, next(stream).seq] == [1, 2]
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        next(stream)  # there is no third
    assert not list(stream)


def test_leaving_a_stream_lets_go_of_its_connection(client: Client, fake: FakeServer) -> None:
    run = fake.add("run_1", "spin")
    for event in client.stream("run_1"):
        if event.seq == 2:
            break
    with client.stream("run_1") as stream:
        next(stream)
    assert not list(stream)
    fake.stop(run, "kill")
