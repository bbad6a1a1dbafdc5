"""The warden's counter, without a process: what is passed on, once, and what is said back each time."""

from collections.abc import Callable
from typing import Any

import pytest

from runward.actors.actor import Timer
from runward.actors.desk import MOST_STEERS, Desk
from runward.actors.intake import Intake
from runward.actors.messages.from_run import AnswerTaken, SteerTaken
from runward.actors.messages.to_run import Answer, Steer
from runward.actors.messages.with_agent import Approval, Guidance
from runward.actors.relaying import OVERDUE_S, STEER_S, Relay

NOW = 1000.0
LATE = f"the agent did not take it within {STEER_S:g} s"


class Counter:
    """A relay with everything round it, on a clock that stands until it is moved."""

    def __init__(self) -> None:
        self.time_s = 50.0
        self.timers: list[Timer] = []
        self.to_agent: list[Any] = []
        self.to_supervisor: list[Any] = []
        self.waited: list[bool] = []
        self.listens = True
        self.desk = Desk(3)
        self.intake = Intake(10_000, self.desk)
        self.relay = Relay(
            self,
            self.desk,
            ("run_1", 3),
            self.to_agent.append,
            self.to_supervisor.append,
            lambda: self.waited.append(self.desk.is_waiting),
            lambda: self.listens,
        )

    def clock(self) -> float:
        return self.time_s

    def after(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        self.timers.append(Timer(self.time_s + delay_s, callback))
        return self.timers[-1]

    def pass_time(self, seconds: float) -> None:
        self.time_s += seconds
        for timer in [timer for timer in self.timers if timer.due <= self.time_s]:
            self.timers.remove(timer)
            assert timer.callback is not None
            timer.callback()

    def agent_says(self, line: bytes) -> int:
        """How many events that makes."""
        taken = self.intake.feed(line + b"\n", NOW)
        self.relay.took(taken)
        return taken.count


@pytest.fixture
def counter() -> Counter:
    return Counter()


def test_an_answer_is_passed_on_once_and_said_to_be_here_each_time(counter: Counter) -> None:
    counter.agent_says(b'{"approval": {"prompt": "?", "id": "mine"}}')
    for _ in range(2):
        counter.relay.answer(Answer("approval_3_1", "always"))
    assert counter.to_agent == [Approval(choice="always", id="mine", request_id="approval_3_1")]
    assert counter.to_supervisor == 2 * [AnswerTaken("run_1", 3, "approval_3_1")]
    assert counter.waited == [False]


def test_a_question_that_is_none_is_answered_at_once(counter: Counter) -> None:
    assert counter.agent_says(b'{"approval": {"id": "mine"}}') == 0
    (reply,) = counter.to_agent
    assert (reply.id, reply.choice, reply.request_id) == ("mine", "deny", None)
    assert "prompt" in reply.error


def test_guidance_is_passed_on_once_and_its_outcome_said_each_time(counter: Counter) -> None:
    for _ in range(2):
        counter.relay.steer(Steer("a", "left"), None)
    assert counter.to_agent == [Guidance("a", "left", 50.0 + STEER_S)]
    assert counter.agent_says(b'{"steered": "a"}') == 1
    counter.relay.steer(Steer("a", "left"), None)
    counter.relay.steer(Steer("a", "left"), "the agent is done")
    assert counter.to_supervisor == 3 * [SteerTaken("run_1", 3, "a")]
    counter.pass_time(OVERDUE_S)
    assert len(counter.to_supervisor) == 3


def test_guidance_that_is_not_taken_in_time_is_not_taken_after_that(counter: Counter) -> None:
    counter.relay.steer(Steer("a", "left"), None)
    counter.pass_time(OVERDUE_S)
    assert counter.agent_says(b'{"steered": "a"}') == 0
    counter.relay.steer(Steer("a", "left"), None)
    assert counter.to_supervisor == 2 * [SteerTaken("run_1", 3, "a", LATE)]
    assert len(counter.to_agent) == 1


def test_an_agent_that_is_not_listened_to_may_have_taken_it(counter: Counter) -> None:
    counter.relay.steer(Steer("a", "left"), None)
    counter.listens = False
    counter.pass_time(OVERDUE_S)
    counter.listens = True
    assert counter.agent_says(b'{"steered": "a"}') == 1
    counter.pass_time(OVERDUE_S)
    assert counter.to_supervisor == [SteerTaken("run_1", 3, "a")]


def test_what_the_warden_knows_against_it_is_said_and_the_agent_hears_nothing(counter: Counter) -> None:
    counter.relay.steer(Steer("a", "left"), "the agent is done")
    assert (counter.to_supervisor, counter.to_agent) == (
        [SteerTaken("run_1", 3, "a", "the agent is done")],
        [],
    )


def test_an_agent_that_answers_no_guidance_is_not_given_more_and_more(counter: Counter) -> None:
    for number in range(MOST_STEERS + 1):
        counter.relay.steer(Steer(str(number), "left"), None)
    assert len(counter.to_agent) == MOST_STEERS
    assert [taken.command_id for taken in counter.to_supervisor] == [str(MOST_STEERS)]
