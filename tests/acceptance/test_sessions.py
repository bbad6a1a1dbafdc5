"""Sessions, priorities and caps over a real port: who waits for whom, who is refused, and what is passed on."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from ..support.client import Client, Json
from ..support.keys import ALICE, AUTH, BOB, OPERATOR
from ..support.server import Server, agent, running
from ..support.waiting import AT_LAST_S, until

SLOTS = 6


def _auth() -> Json:
    """Bob may have one run at once, and another one that waits."""
    keys: Any = AUTH["keys"]
    capped = [key | ({"max_live": 1, "max_queued": 1} if key["name"] == "bob" else {}) for key in keys]
    return {**AUTH, "keys": capped}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    agents = {
        "act": agent("acting", "act"),
        "chat": agent("acting", "act", history="session", on_conflict="reject"),
        "narrow": agent("acting", "act", max_concurrent=1),
    }
    runs = {"max_live": SLOTS, "priority_step_s": 3600.0, "builtin_agents": [], "default_agent": "act"}
    config = {"auth": _auth(), "runs": runs, "agents": agents}
    with running(tmp_path_factory.mktemp("sessions"), config, OPERATOR) as server:
        yield server


@pytest.fixture
def client(house: Server) -> Iterator[Client]:
    with house.without_leftovers():
        yield house.client


@pytest.fixture
def alice(house: Server, client: Client) -> Client:
    return house.with_key(ALICE)


@pytest.fixture
def bob(house: Server, client: Client) -> Client:
    return house.with_key(BOB)


def _status(client: Client, run_id: str) -> str:
    status: str = client.run(run_id)["status"]
    return status


def _position(client: Client, run_id: str) -> int:
    with client.stream(run_id) as stream:
        position: int = stream.until("run.queued").event["position"]
    return position


# ── sessions ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_runs_of_a_session_go_one_behind_the_other(client: Client) -> None:
    first = client.begun("act", "obeys", session_id="s")
    second = client.start("act", "answers two", session_id="s")
    third = client.start("act", "answers three", session_id="s", priority=10)
    other = client.start("act", "answers at once", session_id="another")
    assert client.ended(other)["output"] == "at once"
    assert [_status(client, run_id) for run_id in (second, third)] == ["queued", "queued"]
    assert [_position(client, run_id) for run_id in (second, third)] == [1, 2]
    client.stopped(first)
    ends = [client.ended(run_id) for run_id in (second, third)]
    assert ends[0]["ended_at"] <= ends[1]["started_at"], "whatever their priorities"


def test_a_session_belongs_to_its_key(alice: Client, bob: Client) -> None:
    first = alice.begun("act", "obeys", session_id="ours")
    assert bob.ended(bob.start("act", "answers me", session_id="ours"))["output"] == "me"
    alice.stopped(first)


def test_a_run_that_is_to_be_alone_is_refused_while_another_is_there(client: Client) -> None:
    first = client.begun("act", "obeys", session_id="s")
    body = {"agent": "act", "input": "answers", "session_id": "s", "on_conflict": "reject"}
    answer = client.ask("POST", "/v1/runs", body)
    assert (answer.status, answer.error["code"], answer.error["param"]) == (409, "session_busy", "session_id")
    by_its_agent = {"agent": "chat", "input": "answers", "session_id": "s"}
    assert client.ask("POST", "/v1/runs", by_its_agent).status == 409
    client.stopped(first)
    client.ended(client.ask("POST", "/v1/runs", body).json["run_id"])
    client.ended(client.start("chat", "answers", session_id="s"))


def test_an_interrupt_stops_the_live_run_and_is_next(client: Client) -> None:
    first = client.begun("act", "obeys", session_id="s")
    waits = client.start("act", "answers later", session_id="s")
    urgent = client.start("act", "answers now", session_id="s", on_conflict="interrupt")
    stopped = client.ended(first)
    assert (stopped["status"], stopped["reason"], stopped["exit"]["survivors"]) == (
        "cancelled",
        "interrupted",
        [],
    )
    stopping = next(each for each in client.events(first) if each["event"] == "run.stopping")
    assert stopping["reason"] == f"interrupted by {urgent}, of the same session"
    times = [client.ended(run_id) for run_id in (urgent, waits)]
    assert stopped["ended_at"] <= times[0]["started_at"] <= times[0]["ended_at"] <= times[1]["started_at"]


def test_an_interrupt_takes_the_place_of_one_that_waits_for_the_same_stop(client: Client) -> None:
    first = client.begun("act", "stubborn", session_id="s")
    superseded = client.start("act", "answers", session_id="s", on_conflict="interrupt")
    last = client.start("act", "answers last", session_id="s", on_conflict="interrupt")
    ended = client.ended(superseded)
    assert (ended["status"], ended["started_at"]) == ("cancelled", None)
    stops = [each for each in client.events(superseded) if each["event"].startswith("run.")]
    assert [each["event"] for each in stops] == ["run.queued", "run.cancelled"]
    assert _status(client, first) == "stopping", "its own grace is not cut short by the second interrupt"
    client.kill(first)
    assert client.ended(last)["output"] == "last"


def test_runs_that_are_to_go_beside_others_begin_at_once(client: Client) -> None:
    first = client.begun("act", "obeys", session_id="s")
    beside = client.begun("act", "obeys", session_id="s", on_conflict="parallel")
    behind = client.start("act", "answers", session_id="s")
    client.stopped(first)
    assert _status(client, behind) == "queued"
    client.stopped(beside)
    client.ended(behind)


def test_a_stop_of_a_run_that_waits_for_its_turn_ends_it_at_once(client: Client) -> None:
    first = client.begun("act", "obeys", session_id="s")
    waiting = [client.start("act", f"answers {number}", session_id="s") for number in (1, 2)]
    ended = client.stopped(waiting[0])
    assert (ended["status"], ended["started_at"]) == ("cancelled", None)
    assert ended["exit"]["proof"] == "never_started"
    assert _status(client, waiting[1]) == "queued"
    client.stopped(first)
    assert client.ended(waiting[1])["output"] == "2"


def test_stopping_a_whole_session_lets_none_of_it_begin(client: Client) -> None:
    first = client.begun("act", "obeys", session_id="s")
    waiting = [client.start("act", "answers", session_id="s") for _ in range(2)]
    stopping = client.ask("POST", "/v1/runs/stop", {"session_id": "s"}).json["stopping"]
    assert sorted(stopping) == sorted([first, *waiting])
    assert [client.ended(run_id)["started_at"] for run_id in waiting] == [None, None]
    client.ended(first)


def test_a_child_is_in_no_session_of_a_run_above_it(client: Client) -> None:
    parent = client.begun("act", "obeys", session_id="s")
    body = {"agent": "act", "input": "answers", "session_id": "s", "parent_run_id": parent}
    answer = client.ask("POST", "/v1/runs", body)
    assert (answer.status, answer.error["param"]) == (400, "session_id")
    client.stopped(parent)


def test_a_session_s_words_mean_nothing_without_one_and_that_is_said(client: Client) -> None:
    body = {"agent": "act", "input": "answers", "on_conflict": "reject", "history": "session", "priority": 1}
    answer = client.ask("POST", "/v1/runs", body)
    assert answer.headers["Runward-Ignored"] == "on_conflict, history"
    client.ended(answer.json["run_id"])


def test_the_next_one_begins_when_nothing_of_the_one_before_is_left(client: Client) -> None:
    first = client.begun("narrow", "stubborn")
    behind = client.start("narrow", "answers")
    client.stop(first, grace_s=60)
    assert [_status(client, run_id) for run_id in (first, behind)] == ["stopping", "queued"]
    client.kill(first)
    ended, began = client.ended(first), client.ended(behind)["started_at"]
    assert (ended["exit"]["survivors"], ended["ended_at"] <= began) == ([], True)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("on_conflict", "overtake"),
        ("on_conflict", 1),
        ("priority", 11),
        ("priority", 0.5),
        ("history", "all"),
    ],
)
def test_what_it_can_not_be_is_said_by_name(client: Client, field: str, value: object) -> None:
    answer = client.ask("POST", "/v1/runs", {"agent": "act", "input": "answers", field: value})
    assert (answer.status, answer.error["param"]) == (400, field)


# ── what was said before ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_run_is_given_what_its_session_said_before(alice: Client, bob: Client) -> None:
    alice.ended(alice.start("act", "answers one", session_id="chat"))
    alice.ended(alice.start("act", "raises no", session_id="chat"))
    bob.ended(bob.start("act", "answers mine", session_id="chat"))
    said = [
        {"role": "user", "content": "answers one"},
        {"role": "assistant", "content": "one"},
        {"role": "user", "content": "raises no"},
    ]
    recalls = alice.start("act", "recalls", session_id="chat", history="session")
    assert alice.ended(recalls)["output"] == said
    unasked = alice.start("act", "recalls", session_id="chat")
    assert alice.ended(unasked)["output"] == []
    by_its_agent = alice.ended(alice.start("chat", "recalls", session_id="chat"))["output"]
    assert by_its_agent[:3] == said
    assert [each["role"] for each in by_its_agent[3:]] == ["user", "assistant"] * 2
    not_wanted = alice.start("chat", "recalls", session_id="chat", history="none")
    assert alice.ended(not_wanted)["output"] == []


def test_a_run_that_waited_is_told_what_came_of_the_one_before_it(client: Client) -> None:
    first = client.begun("act", "obeys", session_id="s1")
    never = client.start("act", "answers", session_id="s1")
    second = client.start("act", "recalls", session_id="s1", history="session")
    client.stopped(never)
    client.stopped(first)
    recalled = client.ended(second)["output"]
    assert recalled[0] == {"role": "user", "content": "obeys"}
    assert [each["role"] for each in recalled[1:]] in ([], ["assistant"])


def test_a_request_s_own_history_wins(client: Client) -> None:
    client.ended(client.start("act", "answers one", session_id="s2"))
    own = [{"role": "user", "content": "mine"}]
    body = {"agent": "act", "input": "recalls", "session_id": "s2", "history": "session"}
    answer = client.ask("POST", "/v1/runs", {**body, "conversation_history": own})
    assert answer.headers["Runward-Ignored"] == "history"
    assert client.ended(answer.json["run_id"])["output"] == own
    empty = client.start("chat", "recalls", session_id="s2", conversation_history=[])
    assert client.ended(empty)["output"] == []


# ── the queue ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_of_those_that_wait_the_higher_priority_begins_first(client: Client) -> None:
    first = client.begun("narrow", "obeys")
    waiting = {priority: client.start("narrow", "answers", priority=priority) for priority in (0, -10, 10, 5)}
    assert [_position(client, run_id) for run_id in waiting.values()] == [1, 2, 1, 2]
    assert client.ended(client.start("act", "answers"))["status"] == "completed", "others are not held up"
    client.stopped(first)
    began = {client.ended(run_id)["started_at"]: priority for priority, run_id in waiting.items()}
    assert [began[at] for at in sorted(began)] == [10, 5, 0, -10]


def test_a_key_has_caps_of_its_own(alice: Client, bob: Client) -> None:
    first = bob.begun("act", "obeys")
    second = bob.start("act", "answers")
    third = bob.ask("POST", "/v1/runs", {"agent": "act", "input": "answers"})
    assert (third.status, third.error["code"], third.error["type"]) == (
        429,
        "key_queue_full",
        "rate_limit_error",
    )
    assert int(third.headers["Retry-After"]) >= 1
    assert alice.ended(alice.start("act", "answers"))["status"] == "completed"
    assert bob.ended(bob.start("act", "answers", parent_run_id=first))["status"] == "completed", "a child"
    assert _status(bob, second) == "queued"
    bob.stopped(first)
    bob.ended(second)


def test_nothing_is_held_back_while_there_is_memory(client: Client) -> None:
    assert client.ask("GET", "/health/detailed").json["supervisor"]["held_back"] is None


# ── after a crash ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_a_killed_supervisor_s_queue_stands_as_it_stood(house: Server, client: Client) -> None:
    live = client.begun("act", "obeys", session_id="k")
    holder = client.begun("narrow", "obeys")
    behind = [
        client.start("act", "answers", session_id="k", priority=priority, history="session")
        for priority in (0, 10)
    ]
    queue = {priority: client.start("narrow", "answers", priority=priority) for priority in (0, 10, -10)}
    twin = client.start("narrow", "answers", priority=10)
    supervisor = house.member("supervisor").pid
    os.kill(supervisor, signal.SIGKILL)
    until(lambda: house.member("supervisor").pid != supervisor, AT_LAST_S, "another supervisor")
    until(client.is_healthy, AT_LAST_S, "its answer")
    rejected = {"agent": "act", "input": "answers", "session_id": "k", "on_conflict": "reject"}
    assert client.ask("POST", "/v1/runs", rejected).status == 409
    assert {_status(client, run_id) for run_id in [*behind, *queue.values(), twin]} == {"queued"}
    assert _status(client, live) == "running"
    client.stopped(holder)
    ended = [client.ended(run_id) for run_id in [queue[10], twin, queue[0], queue[-10]]]
    began = [run["started_at"] for run in ended]
    assert began == sorted(began)
    assert {_status(client, run_id) for run_id in behind} == {"queued"}
    client.stopped(live)
    first, second = (client.ended(run_id) for run_id in behind)
    assert first["ended_at"] <= second["started_at"]


@pytest.mark.slow
def test_without_memory_runs_wait_and_it_is_said_why(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    config = {"runs": {"min_available_bytes": 1 << 60}, "agents": {"act": agent("acting", "act")}}
    with running(tmp_path_factory.mktemp("short"), config) as server:
        client = server.client
        waits = client.start("act", "answers")
        assert client.run(waits)["status"] == "queued"
        held_back = client.ask("GET", "/health/detailed").json["supervisor"]["held_back"]
        assert "runs.min_available_bytes" in held_back
        assert client.stopped(waits)["exit"]["proof"] == "never_started"
