"""People's answers and guidance, as the supervisor decides them: a real journal and no processes.

`next` is the next supervisor, which has the journal and nothing else.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from runward.actors.actor import Actor
from runward.actors.admission import Caps
from runward.actors.approving import Approving
from runward.actors.errors import AskTimeout
from runward.actors.journal.patient import PatientWriter
from runward.actors.lifecycle import AnswerTaken, resumed
from runward.actors.live_run import LiveRun
from runward.actors.messages.answers import ApprovalAnswered, Refusal, RunSteered
from runward.actors.messages.commands import AnswerApproval, SteerRun
from runward.actors.messages.feed import Published
from runward.actors.messages.from_run import Events, Hello, SteerTaken
from runward.actors.messages.to_run import Answer, Steer, Stop
from runward.actors.records import RunInput, RunRecord, Status
from runward.actors.register import Register
from runward.actors.steering import Steering
from runward.config.settings import AgentSpec, Settings, defaults

from .houses import AGENT, PIDFD, ROUTE, WARDEN, FakeHouse, batch, exited, running, stop


class House(FakeHouse):
    """One run of an agent with this policy; answers and asks as the supervisor does."""

    def __init__(self, folder: Path, policy: str = "deny", time_s: float = 100.0) -> None:
        super().__init__()
        self.time_s = time_s
        self._folder, self._policy = folder, policy
        self.journal = PatientWriter(folder)
        self.register = Register(Caps(max_live=9))
        settings, actor = _settings(policy), cast(Actor, self)
        self.approving = Approving(self, settings, self.register)
        self.steering = Steering(actor, self, self.register)
        self._asks: dict[Any, tuple[Callable[[Any], None], Callable[[Any], None]]] = {}
        self.deadlines: list[float] = []
        unended = self.journal.unended()
        self.run = self._resumed(unended[0]) if unended else self._begun()

    def _begun(self) -> LiveRun:
        record = RunRecord(run_id="run_1", agent="echo", created_at=1.0, updated_at=1.0, owner="alice")
        key = self.journal.add_run(record, RunInput(input="hello"))
        run = LiveRun(self, key, record, RunInput(input="hello"))
        self.register.readmit(run)
        return running(self, run)

    def _resumed(self, left: Any) -> LiveRun:
        run = LiveRun(self, left.key, left.record, left.given, left.last_seq)
        self.register.readmit(run)
        run.pidfd = PIDFD
        run.adopt(resumed(None, None, left.record.approvals, left.record.answers))
        return run

    def next(self, after_s: float = 0.0) -> "House":
        """The next supervisor, which begins so much later."""
        self.end_turn()
        self.journal.close()
        return House(self._folder, self._policy, self.time_s + after_s)

    def back(self) -> None:
        """The run's warden says hello again."""
        last_n = self.run.seq - self.run.record.runtime_events
        self.run.greeted(ROUTE, Hello("run_1", 1, WARDEN, AGENT, last_n))
        self.steering.resume(self.run)
        self.end_turn()

    def end_turn(self) -> None:
        self.journal.commit()
        self.commit()
        self.journal.commit()

    def asked(self, run: LiveRun) -> None:
        self.approving.asked(run)

    def publish(self, _run_id: str, _published: Published, _blob: bytes) -> None:
        pass

    def ended(self, run: LiveRun) -> None:
        self.register.leave(run)

    # ── an actor's asking ───────────────────────────────────────────────────────────────────────

    def ask(self, key: Any, tell: Any, deadline_s: float, answered: Any, failed: Any) -> None:
        self._asks[key] = (answered, failed)
        self.deadlines.append(deadline_s)
        tell()

    def answer(self, key: Any, message: Any) -> bool:
        asked = self._asks.pop(key, None)
        if asked is not None:
            asked[0](message)
        return asked is not None

    def nobody_answers(self) -> None:
        for _, failed in self._asks.values():
            failed(AskTimeout("no answer"))

    # ── what a test does with it ────────────────────────────────────────────────────────────────

    def questions(self, *ids: str, **fields: Any) -> None:
        """The agent asks, in one batch."""
        asked = {"event": "approval.request", "timestamp": 1.0, "choices": ["once", "always", "deny"]}
        lines = [asked | {"expires_at": None, "request_id": each} | fields for each in ids]
        blob = b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines)
        self.run.take(Events("run_1", 1, self.run.seq - self.run.record.runtime_events + 1, len(ids), blob))
        self.end_turn()

    def approve(self, choice: Any = "once", command_id: str = "c1", **more: Any) -> Any:
        answer = self.approving.answer(
            AnswerApproval(command_id, "run_1", more.pop("owner", None), choice, **more)
        )
        self.end_turn()
        return answer

    def steer(self, command_id: str = "s1", owner: str | None = None) -> list[Any]:
        """The answers to it, which come when they come."""
        answers: list[Any] = []
        self.steering.steer(SteerRun(command_id, "run_1", owner, "left"), answers.append)
        self.end_turn()
        return answers

    def events(self) -> list[Any]:
        rows = self.journal._database.execute("SELECT data FROM batch ORDER BY first").fetchall()
        return [json.loads(line) for (blob,) in rows for line in blob.splitlines()]

    def responded(self) -> list[tuple[str, str]]:
        return [
            (event["request_id"], event["choice"])
            for event in self.events()
            if event["event"] == "approval.responded"
        ]

    def heard(self, kind: type[Any]) -> list[Any]:
        """What the warden was told of this kind."""
        return [message for message in self.told if isinstance(message, kind)]


def _settings(policy: str) -> Settings:
    agents = {"echo": AgentSpec(name="echo", entrypoint="echo:run", approval_deadline=policy)}  # type: ignore[arg-type]
    return msgspec.structs.replace(defaults(), agents=agents)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.journal.close()


def refused(answer: Any) -> str:
    assert isinstance(answer, Refusal)
    return answer.code


# ── approvals ───────────────────────────────────────────────────────────────────────────────────


def test_an_answer_is_journalled_then_told_and_the_run_goes_on(house: House) -> None:
    house.questions("a")
    assert house.run.record.status is Status.WAITING_FOR_APPROVAL
    assert house.approve(note="go") == ApprovalAnswered("c1", "run_1", "once", 1)
    assert (house.run.record.status, house.run.record.approvals) == (Status.RUNNING, ())
    assert house.responded() == [("a", "once")]
    assert house.events()[-1]["note"] == "go"
    assert house.heard(Answer) == [Answer("a", "once", "go")]


def test_nothing_is_told_before_it_is_committed(house: House) -> None:
    house.questions("a")
    house.approving.answer(AnswerApproval("c1", "run_1", None, "once"))
    assert not house.heard(Answer)
    house.end_turn()
    assert house.heard(Answer)


def test_the_same_command_is_the_same_answer_also_from_the_next_supervisor(house: House) -> None:
    house.questions("a", "b")
    first = house.approve()
    assert house.approve() == first
    assert house.approve(command_id="c2") == ApprovalAnswered("c2", "run_1", "once", 1)
    later = house.next()
    assert later.approve() == first
    assert later.responded() == [("a", "once"), ("b", "once")]
    later.journal.close()


def test_another_answer_to_the_same_question_finds_nothing_open(house: House) -> None:
    house.questions("a")
    house.approve(request_id="a")
    assert refused(house.approve("deny", "c2", request_id="a")) == "approval_not_active"
    assert refused(house.approve("deny", "c3")) == "approval_not_active"
    assert house.responded() == [("a", "once")]


def test_the_oldest_the_named_or_all_are_answered(house: House) -> None:
    house.questions("a", "b", "c", "d")
    assert house.approve(command_id="1").resolved == 1
    assert house.approve("deny", "2", request_id="c").resolved == 1
    assert len(house.run.record.approvals) == 2
    assert house.approve("always", "3", all=True).resolved == 2
    assert house.responded() == [("a", "once"), ("c", "deny"), ("b", "always"), ("d", "always")]
    assert house.run.record.status is Status.RUNNING


def test_a_choice_must_be_offered_by_all_that_it_is_for_but_deny_always_may_be_chosen(house: House) -> None:
    house.questions("a", choices=["once"])
    house.questions("b", choices=["always"])
    assert refused(house.approve("always")) == "invalid_approval_choice"
    assert refused(house.approve("once", all=True)) == "invalid_approval_choice"
    assert house.approve("deny", all=True).resolved == 2


def test_only_its_owner_or_an_operator_answers(house: House) -> None:
    house.questions("a")
    assert refused(house.approve(owner="bob")) == "run_not_found"
    assert house.approve(owner="alice").resolved == 1


def test_a_run_that_is_stopped_or_over_asks_nothing(house: House) -> None:
    house.questions("a")
    stop(house.run)
    house.end_turn()
    assert refused(house.approve()) == "approval_not_active"
    assert (house.run.record.status, house.run.record.approvals) == (Status.STOPPING, ())
    house.questions("b")  # it may still say so
    assert refused(house.approve(command_id="c2")) == "approval_not_active"
    exited(house.run, last_n=2)
    assert refused(house.approve(command_id="c3")) == "approval_not_active"


def test_an_answer_that_the_warden_may_not_have_is_told_by_the_next_supervisor_until_it_has_it(
    house: House,
) -> None:
    house.questions("a", "b")
    house.approve()
    later = house.next()
    assert later.run.record.status is Status.WAITING_FOR_APPROVAL
    later.back()
    assert later.heard(Answer) == [Answer("a", "once")]
    later.run.advance(AnswerTaken("a"))
    last = later.next()
    last.back()
    assert not last.heard(Answer)
    assert last.approve("deny", "c2").resolved == 1
    assert last.heard(Answer) == [Answer("b", "deny")]
    last.journal.close()


def test_a_question_that_is_said_again_after_an_outage_is_one(house: House) -> None:
    house.questions("a")
    n = house.run.seq - house.run.record.runtime_events
    house.run.take(batch(n, event="approval.request", request_id="a", choices=["once"], expires_at=None))
    assert len(house.run.state.asked) == 1


def test_a_deadline_denies_what_nobody_answered(house: House) -> None:
    house.questions("a", expires_at=house.now() + 10)
    house.questions("b", expires_at=house.now() + 20)
    house.pass_time(10)
    house.end_turn()
    assert house.responded() == [("a", "deny")]
    assert house.events()[-1]["timed_out"] is True
    assert house.heard(Answer) == [Answer("a", "deny", timed_out=True)]
    assert house.run.record.status is Status.WAITING_FOR_APPROVAL
    house.approve()
    house.pass_time(100)
    assert house.responded() == [("a", "deny"), ("b", "once")]


def test_a_deadline_that_passed_meanwhile_is_kept_by_the_next_supervisor(house: House) -> None:
    house.questions("a", expires_at=house.now() + 10)
    later = house.next(after_s=11)
    later.pass_time(0)
    later.end_turn()
    assert later.responded() == [("a", "deny")]
    later.journal.close()


def test_a_deadline_stops_the_run_where_its_agent_says_so(tmp_path: Path) -> None:
    house = House(tmp_path, "stop")
    house.questions("a", expires_at=house.now() + 10)
    house.pass_time(10)
    house.end_turn()
    assert not house.responded()
    assert house.run.record.status is Status.STOPPING
    assert house.run.record.stop_reason == "approval_timeout"
    assert [told.command_id for told in house.heard(Stop)] == ["run_1/a"]
    assert [each.id for each in house.journal.stops()] == ["run_1/a"]
    house.journal.close()


def test_no_deadline_outlives_what_it_is_for(house: House) -> None:
    house.questions("a", expires_at=house.now() + 10)
    (timer,) = [timer for timer in house.timers if timer.due == house.time_s + 10]
    house.approve()
    assert timer.callback is None
    house.questions("b", expires_at=house.now() + 10)
    (timer,) = [each for each in house.timers if each.due == house.time_s + 10 and each is not timer]
    stop(house.run)
    assert timer.callback is None


def test_with_no_room_for_the_journal_nobody_is_answered(house: House) -> None:
    house.questions("a")
    house.journal.held_up = True
    assert refused(house.approving.answer(AnswerApproval("c1", "run_1", None, "once"))) == "journal_full"
    (answer,) = house.steer()
    assert refused(answer) == "journal_full"
    house.journal.held_up = False


# ── guidance ────────────────────────────────────────────────────────────────────────────────────


def test_guidance_is_journalled_told_and_answered_when_the_agent_took_it(house: House) -> None:
    answers = house.steer()
    assert (house.heard(Steer), answers) == ([Steer("s1", "left")], [])
    house.steering.taken(SteerTaken("run_1", 1, "s1"))
    assert answers == [RunSteered("s1", "run_1")]
    assert house.journal.is_finished("s1")


def test_guidance_that_it_did_not_take_is_refused_and_may_be_asked_after_again(house: House) -> None:
    answers = house.steer()
    house.steering.taken(SteerTaken("run_1", 1, "s1", "no"))
    assert refused(answers[0]) == "steer_not_accepted"
    again = house.steer()
    assert house.heard(Steer) == 2 * [Steer("s1", "left")], "the warden knows it again"
    house.steering.taken(SteerTaken("run_1", 1, "s1", "no"))
    assert refused(again[0]) == "steer_not_accepted"


def test_what_was_taken_is_said_to_be_also_when_the_run_is_over(house: House) -> None:
    house.steer()
    house.steering.taken(SteerTaken("run_1", 1, "s1"))
    exited(house.run, last_n=0)
    house.end_turn()
    assert house.steer() == [RunSteered("s1", "run_1")]
    assert refused(house.steer("s2")[0]) == "steer_not_accepted"


def test_the_next_supervisor_says_it_when_the_warden_is_back_once(house: House) -> None:
    house.steer()
    later = house.next()
    answers = later.steer()
    assert (later.heard(Steer), answers) == ([], [])
    later.back()
    assert later.heard(Steer) == [Steer("s1", "left")]
    later.steering.taken(SteerTaken("run_1", 1, "s1"))
    assert answers == [RunSteered("s1", "run_1")]
    assert later.deadlines[0] > house.deadlines[0], "it may take a while until it is back"
    later.journal.close()


def test_what_nobody_waits_for_any_more_is_not_said_after_all(house: House) -> None:
    house.steer()
    later = house.next(after_s=60)
    later.back()
    assert not later.heard(Steer)
    later.journal.close()


def test_a_warden_that_does_not_answer_is_no_refusal(house: House) -> None:
    answers = house.steer()
    house.nobody_answers()
    assert refused(answers[0]) == "steer_unanswered"


def test_a_run_that_is_not_running_takes_no_guidance_and_nobody_else_gives_it(house: House) -> None:
    assert refused(house.steer(owner="bob")[0]) == "run_not_found"
    stop(house.run)
    (answer,) = house.steer()
    assert (refused(answer), answer.status) == ("steer_not_accepted", "stopping")
