"""Where a live run's agent is in its code, over a real port, also when it hangs. On both kill rungs."""

import hashlib
import threading
from collections.abc import Iterator

import pytest

from ..support import census
from ..support.client import Answer, Client
from ..support.rungs import RUNGS, skip_unless_held
from ..support.server import Server, agent, running
from ..support.waiting import AT_LAST_S, until

KEY = "stack-key"


@pytest.fixture(scope="module", params=RUNGS)
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = {
        "containment": {"kill": skip_unless_held(request.param)},
        "runs": {"interrupt_grace_s": 1.0, "max_live": 8, "builtin_agents": ["echo"]},
        "agents": {"use": agent("using", "use", max_concurrent=2)},
    }
    with running(tmp_path_factory.mktemp("stack"), config, KEY) as server:
        server.client.ended(server.client.start("echo"))
        yield server


@pytest.fixture
def client(house: Server) -> Iterator[Client]:
    with house.without_leftovers():
        yield house.client


def _ask(client: Client, run_id: str) -> Answer:
    return client.ask("GET", f"/v1/runs/{run_id}/stack")


@pytest.mark.parametrize(
    ("how", "frames"),
    [
        ("sleeps", ["in _hang", "in sleeps", "in use"]),
        ("hangs_in_c", ["in hangs_in_c", "in use"]),
        ("hangs_in_a_thread", ["in sleeps_in_a_thread", "in hangs_in_a_thread"]),
    ],
)
def test_the_stacks_of_an_agent_that_hangs_say_where(client: Client, how: str, frames: list[str]) -> None:
    run_id = client.begun("use", how)

    def stack() -> str:
        answer = _ask(client, run_id)
        assert (answer.status, answer.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
        return answer.body.decode()

    until(lambda: all(frame in stack() for frame in frames), AT_LAST_S, f"{frames} in the stacks")
    assert "(most recent call first):" in stack()
    assert client.run(run_id)["status"] == "running"
    client.kill(run_id, wait=True)


def test_asking_harms_no_agent_however_often_it_is_done(client: Client) -> None:
    run_id = client.begun("use", "talks 10")
    while (answer := _ask(client, run_id)).status == 200:
        assert b"talks" in answer.body or b"_leave" in answer.body or b"Thread" in answer.body
    assert answer.status in (409, 504)
    assert client.ended(run_id)["output"] == "done"


def test_two_who_ask_at_once_are_both_answered(client: Client) -> None:
    run_id = client.begun("use", "sleeps")
    answers: list[Answer] = []
    asking = [threading.Thread(target=lambda: answers.append(_ask(client, run_id))) for _ in range(4)]
    for each in asking:
        each.start()
    for each in asking:
        each.join()
    assert [answer.status for answer in answers] == [200] * 4
    assert all(b"in sleeps" in answer.body for answer in answers)
    client.kill(run_id, wait=True)


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("handles_the_signal", "did not answer SIGURG within 2 s"),
        pytest.param("stops_itself", "did not answer SIGURG within 2 s", marks=pytest.mark.slow),
        ("closes_all", "closed the descriptor"),
        ("becomes_another", "became another program"),
    ],
)
def test_an_agent_that_can_not_tell_is_said_not_to_and_goes_on(client: Client, how: str, why: str) -> None:
    run_id = client.begun("use", how)
    if how == "becomes_another":
        pid = client.run(run_id)["process"]["pid"]
        until(
            lambda: any("sleep 3600" in each.title for each in census.processes() if each.pid == pid),
            AT_LAST_S,
            "the other program",
        )
    answer = _ask(client, run_id)
    assert (answer.status, answer.error["code"]) == (504, "stack_unavailable"), answer.body
    assert why in answer.error["message"]
    assert client.run(run_id)["status"] == "running"
    client.kill(run_id, wait=True)


def test_what_an_agent_scribbles_is_bounded_and_no_terminal_obeys_it(client: Client) -> None:
    run_id = client.begun("use", "scribbles")
    answer = _ask(client, run_id)
    assert answer.status == 200, answer.body
    text = answer.body.decode()
    assert len(text) < 5 * 262_144
    assert set(filter(lambda each: not each.isprintable(), text)) <= {"\n", "\t"}
    assert client.is_healthy()
    client.kill(run_id, wait=True)


def test_a_run_that_is_over_has_no_stacks(client: Client) -> None:
    run_id = client.start("echo")
    client.ended(run_id)
    answer = _ask(client, run_id)
    assert (answer.status, answer.error["code"]) == (409, "run_not_live")


def test_a_run_that_waits_has_no_stacks_yet(client: Client) -> None:
    busy = [client.begun("use", "sleeps") for _ in range(2)]
    run_id = client.start("use", "sleeps")
    answer = _ask(client, run_id)
    assert (answer.status, answer.error["code"]) == (409, "run_not_live")
    assert "queued" in answer.error["message"]
    for each in (run_id, *busy):
        client.kill(each, wait=True)


def test_an_unknown_run_has_no_stacks(client: Client, house: Server) -> None:
    assert _ask(client, "run_0").error["code"] == "run_not_found"
    assert _ask(Client(house.url), "run_0").status == 401


def test_a_run_of_another_key_is_unknown(tmp_path_factory: pytest.TempPathFactory) -> None:
    hashed = f"sha256:{hashlib.sha256(b'other-key').hexdigest()}"
    config = {
        "auth": {"mode": "key", "keys": [{"name": "other", "role": "run", "hash": hashed}]},
        "runs": {"builtin_agents": [], "default_agent": "use"},
        "agents": {"use": agent("using", "use")},
    }
    with running(tmp_path_factory.mktemp("keys"), config, KEY) as server:
        other, run_id = server.with_key("other-key"), server.client.begun("use", "sleeps")
        assert _ask(other, run_id).error["code"] == "run_not_found"
        assert other.ask("GET", f"/v1/runs/{run_id}/logs").error["code"] == "run_not_found"
        assert _ask(server.client, run_id).status == 200
        server.client.kill(run_id, wait=True)
