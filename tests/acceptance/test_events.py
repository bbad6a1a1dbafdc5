"""The event stream as a client gets it over a real port: order, numbers, resuming, many readers, quiet times."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from ..support.client import Client, Json
from ..support.server import Server, agent, running

READERS = 20
KEEPALIVE_S = 0.1
RETRY_MS = 250
EMPTY_USAGE = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("events")
    config = {
        "http": {"keepalive_s": KEEPALIVE_S, "retry_ms": RETRY_MS},
        "agents": {
            "talker": agent(
                "conversing",
                "Talker",
                options={"record": str(folder / "interrupts")},
                paths={"writable": [str(folder)]},
            )
        },
    }
    with running(folder, config) as server:
        for name in ("talker", "echo"):
            server.client.ended(server.client.start(name))
        yield server


@pytest.fixture
def client(house: Server) -> Iterator[Client]:
    with house.without_leftovers():
        yield house.client


@pytest.fixture
def over(client: Client) -> str:
    """A run of four events that is over."""
    run_id = client.start("echo", "hello")
    client.ended(run_id)
    return run_id


@pytest.fixture
def live(client: Client) -> Iterator[str]:
    """A run that is in the middle of its work, with its third event behind it; stopped after the test."""
    run_id = client.begun("talker", "wait")
    yield run_id
    if client.run(run_id)["status"] == "running":
        client.stopped(run_id)


def _fields(event: Json) -> Json:
    """What an event says beside which run it is of, when, and as which number."""
    return {name: value for name, value in event.items() if name not in ("run_id", "seq", "timestamp")}


def _numbers(client: Client, run_id: str, query: str = "", **headers: str) -> list[int]:
    sent = {name.replace("_", "-"): text for name, text in headers.items()}
    with client.stream(run_id, query, sent) as stream:
        assert stream.status == 200
        return [int(frame.id) for frame in stream]


# ── what a stream holds ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_conversation_is_streamed_in_the_order_in_which_it_was_told(client: Client) -> None:
    history = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]
    run_id = client.start("talker", "who?", conversation_history=history, session_id="s1")
    events = client.events(run_id)
    pid = events[1]["pid"]
    assert list(map(_fields, events)) == [
        {"event": "run.queued", "position": 1},
        {"event": "run.started", "attempt": 1, "pid": pid, "agent": "talker"},
        {"event": "message.delta", "delta": "Let me "},
        {"event": "message.delta", "delta": "look."},
        {"event": "tool.started", "tool": "search", "preview": "what is asked"},
        {"event": "tool.completed", "tool": "search", "duration": 0.25, "error": False},
        {"event": "reasoning.available", "text": "It is known."},
        {"event": "message.delta", "delta": "2 before: who?"},
        {
            "event": "run.completed",
            "output": "who?!",
            "usage": {"input_tokens": 3, "output_tokens": 5, "total_tokens": 8},
        },
    ]


def test_the_frames_of_a_finished_run_are_these_very_lines(client: Client, over: str) -> None:
    with client.stream(over) as stream:
        frames = stream.rest()
    assert [frame.id for frame in frames] == ["1", "2", "3", "4"]
    assert [frame.event["seq"] for frame in frames] == [1, 2, 3, 4]
    assert {frame.event["run_id"] for frame in frames} == {over}
    assert [frame.more for frame in frames] == [
        [],
        [],
        [],
        [],
    ]  # no `event:` line, or onmessage would miss it
    assert stream.retry == [str(RETRY_MS)]
    assert stream.comments == ["stream closed"]
    stamps = [frame.event["timestamp"] for frame in frames]
    assert stamps == sorted(stamps)
    assert _fields(frames[-1].event) == {"event": "run.completed", "output": "hello", "usage": EMPTY_USAGE}


def test_a_later_look_at_a_run_shows_the_same_events_as_the_live_one(client: Client, live: str) -> None:
    with client.stream(live) as stream:
        client.stop(live)
        seen = [frame.event for frame in stream]
    assert client.events(live) == seen


def test_the_run_object_agrees_with_its_last_event(client: Client, over: str) -> None:
    last, run = client.events(over)[-1], client.run(over)
    assert (run["status"], run["output"], run["last_event"]) == ("completed", "hello", last["event"])
    assert run["last_seq"] == last["seq"]


# ── coming back ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("seen", "missing"), [("0", [1, 2, 3, 4]), ("2", [3, 4]), ("3", [4])])
def test_a_reader_that_comes_back_gets_what_it_has_not_seen(
    client: Client, over: str, seen: str, missing: list[int]
) -> None:
    assert _numbers(client, over, Last_Event_ID=seen) == missing
    assert _numbers(client, over, f"?after={seen}") == missing


def test_what_a_browser_repeats_in_the_header_wins_over_the_url(client: Client, over: str) -> None:
    assert _numbers(client, over, "?after=1", Last_Event_ID="3") == [4]


@pytest.mark.parametrize("seen", ["4", "5", "999999"])
def test_a_reader_that_has_seen_the_end_is_told_that_nothing_will_come(
    client: Client, over: str, seen: str
) -> None:
    answer = client.ask("GET", f"/v1/runs/{over}/events", headers={"Last-Event-ID": seen})
    assert (answer.status, answer.body) == (204, b"")


@pytest.mark.parametrize("seen", ["x", "-1", "1.5", "", "\N{SUPERSCRIPT TWO}", "9" * 40])
def test_a_cursor_that_is_no_number_is_refused(client: Client, over: str, seen: str) -> None:
    answer = client.ask("GET", f"/v1/runs/{over}/events", headers={"Last-Event-ID": seen})
    assert (answer.status, answer.error["code"]) == (400, "invalid_cursor")


def test_a_cursor_beyond_a_live_run_is_refused(client: Client, live: str) -> None:
    answer = client.ask("GET", f"/v1/runs/{live}/events?after=4")
    assert (answer.status, answer.error["code"]) == (400, "invalid_cursor")


def test_a_reader_that_comes_back_to_a_live_run_waits_for_what_is_new(client: Client, live: str) -> None:
    with client.stream(live, "?after=3") as stream:
        client.stop(live)
        assert [frame.event["event"] for frame in stream.rest()] == ["run.stopping", "run.cancelled"]


# ── many, and quiet ───────────────────────────────────────────────────────────────────────────────────────────────


def test_every_one_of_many_readers_sees_everything(client: Client, live: str) -> None:
    with ExitStack() as readers:
        streams = [readers.enter_context(client.stream(live)) for _ in range(READERS)]
        early = [stream.until("message.delta").event for stream in streams]
        streams += [readers.enter_context(client.stream(live)) for _ in range(READERS)]
        client.stop(live)
        seen: list[list[Any]] = [[frame.event for frame in stream] for stream in streams]
    whole = client.events(live)
    assert early == [whole[2]] * READERS
    assert seen == [whole[3:]] * READERS + [whole] * READERS


def test_a_reader_that_leaves_changes_nothing_for_the_others(client: Client, live: str) -> None:
    with client.stream(live) as stays:
        stays.until("message.delta")
        with client.stream(live) as leaves:
            leaves.until("message.delta")
        client.stop(live)
        assert [frame.event["event"] for frame in stays] == ["run.stopping", "run.cancelled"]


def test_a_stream_that_has_nothing_to_say_keeps_its_connection_alive(client: Client, live: str) -> None:
    with client.stream(live, "?after=3") as stream:
        stream.until_comment("keepalive")
        stream.until_comment("keepalive")
        client.stop(live)
        assert [frame.event["event"] for frame in stream] == ["run.stopping", "run.cancelled"]
