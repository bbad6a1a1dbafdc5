"""Questions and guidance outlive the processes that carry them: real kills, and what the agent heard in the end."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count

import pytest

import runward

from ..support.client import Client, Json
from ..support.server import Server, agent, running
from ..support.waiting import AT_LAST_S, until

pytestmark = pytest.mark.slow
KILLS = 12
LONG_S = 90.0


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = {
        "agents": {"asks": agent("asking", "ask")},
        "supervision": {"restart_intensity": 1000, "restart_period_s": 1.0},
    }
    with running(tmp_path_factory.mktemp("people"), config) as server:
        yield server


@pytest.fixture
def client(house: Server) -> Iterator[Client]:
    house.await_no_runs()
    yield house.client
    until(house.client.is_healthy, LONG_S, "health")
    house.client.ask("POST", "/v1/runs/stop", {"all": True, "mode": "kill"})
    house.await_no_runs()


def _kill(house: Server, title: str) -> None:
    """It is gone, and another is there."""
    victim = house.member(title).pid
    os.kill(victim, signal.SIGKILL)
    until(lambda: house.member(title).pid != victim, AT_LAST_S, f"another {title}")


def _answer(client: Client, run_id: str, **body: object) -> tuple[int, Json]:
    """Answered for certain: whoever gets no word, or 503, asks again."""

    def answered() -> tuple[int, Json] | None:
        try:
            answer = client.ask("POST", f"/v1/runs/{run_id}/approval", body)
        except OSError:
            return None
        return None if answer.status == 503 else (answer.status, answer.json)

    return until(answered, LONG_S, "an answer to the answer")


def _asked(client: Client, text: str) -> tuple[str, Json]:
    run_id = client.start("asks", text)
    with client.stream(run_id) as stream:
        return run_id, stream.until("approval.request").event


def test_a_question_outlives_supervisor_and_facade_and_is_answered_after_them(
    house: Server, client: Client
) -> None:
    run_id, request = _asked(client, "once sure?")
    _kill(house, "supervisor")
    _kill(house, "facade 1")
    _kill(house, "supervisor")
    until(lambda: _status(client, run_id) == "waiting_for_approval", AT_LAST_S, "the run")
    status, answer = _answer(client, run_id, choice="once", request_id=request["request_id"])
    assert (status, answer["resolved"]) == (200, 1)
    assert client.ended(run_id)["output"]["choice"] == "once"
    events = Counter(event["event"] for event in client.events(run_id))
    assert (events["approval.request"], events["approval.responded"]) == (1, 1)


def _status(client: Client, run_id: str) -> str | None:
    try:
        return str(client.run(run_id)["status"])
    except (AssertionError, OSError):
        return None


def test_a_deadline_that_passed_without_a_supervisor_is_kept_by_the_next(
    house: Server, client: Client
) -> None:
    run_id, request = _asked(client, "briefly 2")
    supervisor = house.member("supervisor").pid
    os.kill(supervisor, signal.SIGSTOP)  # so that it can't, and nobody else is there
    until(lambda: time.time() > request["expires_at"] + 0.2, AT_LAST_S, "the deadline")
    os.kill(supervisor, signal.SIGKILL)
    events = client.events(run_id)
    (responded,) = [event for event in events if event["event"] == "approval.responded"]
    assert (responded["choice"], responded["timed_out"]) == ("deny", True)
    assert client.run(run_id)["output"]["timed_out"] is True


def test_other_code_takes_over_what_is_asked(house: Server, client: Client) -> None:
    run_id, _ = _asked(client, "once sure?")
    supervisor = house.member("supervisor").pid
    command = [sys.executable, "-P", "-m", "runward", "restart", "--state", str(house.folder / "state")]
    subprocess.run(command, capture_output=True, timeout=60, check=True)
    assert house.member("supervisor").pid != supervisor
    assert _answer(client, run_id, choice="once")[0] == 200
    assert client.ended(run_id)["output"]["choice"] == "once"


def test_a_run_that_dies_while_it_waits_asks_nothing_any_more(house: Server, client: Client) -> None:
    run_id, _ = _asked(client, "once sure?")
    os.kill(client.run(run_id)["process"]["pid"], signal.SIGKILL)
    assert client.ended(run_id)["reason"] == "signal"
    assert _answer(client, run_id, choice="once")[0] == 409


class Killer:
    """Kills supervisors and facades now and then, inside the block; counts them."""

    def __init__(self, house: Server) -> None:
        self.kills = 0
        self._house = house
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go_on)

    def __enter__(self) -> "Killer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _go_on(self) -> None:
        chance = random.Random(7)
        while not self._over.wait(chance.uniform(0.02, 0.4)):
            _kill(self._house, chance.choice(["supervisor", "supervisor", "facade 1"]))
            self.kills += 1


def test_every_question_is_answered_once_while_supervisors_and_facades_die(
    house: Server, client: Client
) -> None:
    run_id = client.start("asks", "till_denied")
    said: dict[str, str] = {}
    with Killer(house) as killer:
        for event in runward.Client(house.url, "none").stream(run_id):
            if event.event != "approval.request":
                continue
            request_id, prompt = event.fields["request_id"], event.fields["prompt"]
            choice = "once" if killer.kills < KILLS else "deny"
            status, _ = _answer(client, run_id, choice=choice, request_id=request_id, note=f"{prompt} first")
            if status == 200:
                said[prompt] = f"{prompt} first"
            second, _ = _answer(client, run_id, choice="once", request_id=request_id, note="second")
            assert (status, second) in ((200, 409), (409, 409))
    events = until(lambda: _events(client, run_id), LONG_S, "the end")
    asked = [event["request_id"] for event in events if event["event"] == "approval.request"]
    assert asked == [f"approval_1_{number + 1}" for number in range(len(asked))]
    responded = [event for event in events if event["event"] == "approval.responded"]
    assert [event["request_id"] for event in responded] == asked
    heard = client.run(run_id)["output"]
    assert heard == [[str(number), event["note"]] for number, event in enumerate(responded)]
    assert dict(heard).items() >= said.items()
    assert killer.kills >= KILLS


def test_guidance_is_taken_once_or_said_not_to_be_while_supervisors_die(
    house: Server, client: Client
) -> None:
    run_id = client.begun("asks", "till_enough")
    taken, refused = set(), set()
    with Killer(house) as killer:
        for number in count():
            text = str(number) if killer.kills < KILLS else "enough"
            try:
                answer = client.ask("POST", f"/v1/runs/{run_id}/steer", {"input": text})
            except OSError:
                continue  # nobody knows
            if answer.status == 200:
                taken.add(text)
            elif answer.status == 409:
                refused.add(text)
            if text == "enough" and answer.status in (200, 409):
                break
    events = until(lambda: _events(client, run_id), LONG_S, "the end")
    steered = [event["input"] for event in events if event["event"] == "run.steered"]
    heard = client.run(run_id)["output"]
    once = [text for text in steered if text != "enough"]
    assert len(set(once)) == len(once), "said once, taken twice"
    assert sorted(set(heard)) == sorted(set(steered))
    assert taken <= set(heard)
    assert not (refused - {"enough"}) & set(heard)
    assert killer.kills >= KILLS


def _events(client: Client, run_id: str) -> list[Json] | None:
    try:
        return client.events(run_id)
    except (OSError, AssertionError):
        return None
