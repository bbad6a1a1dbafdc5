"""The supervisor's decisions and its journal against a simple model, with crashes between any two steps.

A step is what some process does next. The end of a turn is a step of its own, so a crash may come after something was
decided and before it is committed, after it is committed and before it is heard, or while nothing happens at all.

The model is what clients and wardens were told, and what agents said: none of it may ever turn out to be otherwise.
"""

import shutil
import tempfile
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from runward.actors import live_run
from runward.actors.journal.reader import Reader
from runward.actors.messages.answers import ApprovalAnswered, RunAccepted, RunDeleted, StopAccepted
from runward.actors.messages.commands import AnswerApproval, DeleteRun, StartRun, StopRun, ToSupervisor
from runward.actors.messages.with_agent import ChildEnded, ChildStarted
from runward.actors.records import MOST_OPEN, Reason, RunInput, RunRecord, Status

from .worlds import Stage, Supervisor, Warden, World

TERMINAL = {"run.completed", "run.failed", "run.cancelled"}
STAGES = st.sampled_from(["decided", "written", "committed"])
ENOUGH = 300  # steps in which everything comes to an end


class Model(RuleBasedStateMachine):
    """Sees the journal as a facade does, so only what is committed."""

    runs = Bundle("runs")
    sent = Bundle("sent")

    @initialize(target=runs)
    def begin(self) -> Any:
        """A server with two runs in the middle of their work, and one that waits to be forked."""
        self.folder = Path(tempfile.mkdtemp(prefix="runward-model-"))
        self.world = World()
        self.roots = 0
        self.numbers = 0
        self.commands: dict[str, ToSupervisor] = {}
        self.stopped_at: dict[str, int] = {}  # run → its attempt when its stop was accepted
        self.supervisor = Supervisor(self.world, self.folder, self.root)
        self.reader = Reader(self.folder)
        self.kill = live_run._kill
        setattr(live_run, "_kill", self.killed)  # noqa: B010 - mypy would have it that a function can't be replaced
        begun = [self.start(agent, None, b"") for agent in ("once", "again")]
        self.work(rounds=2)
        return multiple(*begun, self.start("once", "a", b"one"))

    def teardown(self) -> None:
        if hasattr(self, "supervisor"):
            try:
                self.settle()
            finally:
                setattr(live_run, "_kill", self.kill)  # noqa: B010
                self.reader.close()
                self.supervisor.journal.close()
                shutil.rmtree(self.folder)

    @property
    def root(self) -> bytes:
        return b"%d 1 boot" % self.roots

    def killed(self, pid: int) -> None:
        self.world.find(pid).alive = False

    def send(self, command: ToSupervisor) -> ToSupervisor:
        self.commands[command.id] = command
        self.supervisor.obey(command)
        return command

    # ── what clients do ──────────────────────────────────────────────────────────────────────────

    @rule(
        target=runs,
        agent=st.sampled_from(["once", "again"]),
        key=st.sampled_from([None, None, "a", "b"]),
        body=st.sampled_from([b"one", b"two"]),
    )
    def start(self, agent: str, key: str | None, body: bytes) -> str:
        self.numbers += 1
        run_id = f"run_{self.numbers}"
        self.send(
            StartRun(f"c{self.numbers}", run_id, "alice", agent, RunInput(input="x"), None, {}, key, body)
        )
        return run_id

    @rule(
        target=runs,
        agent=st.sampled_from(["once", "again"]),
        on_conflict=st.sampled_from([None, "reject", "interrupt", "parallel"]),
        priority=st.integers(-10, 10),
    )
    def start_in_session(self, agent: str, on_conflict: Any, priority: int) -> str:
        self.numbers += 1
        run_id = f"run_{self.numbers}"
        said = RunInput(input="x", session_id="s")
        start = StartRun(f"c{self.numbers}", run_id, "alice", agent, said)
        self.send(msgspec.structs.replace(start, on_conflict=on_conflict, priority=priority))
        return run_id

    @rule(run_id=runs, mode=st.sampled_from(["interrupt", "terminate", "kill"]))
    def stop(self, run_id: str, mode: Any) -> None:
        self.numbers += 1
        self.send(StopRun(f"c{self.numbers}", run_id, None, mode))

    @rule(run_id=runs)
    def delete(self, run_id: str) -> None:
        self.numbers += 1
        self.send(DeleteRun(f"c{self.numbers}", run_id, None))

    @rule(run_id=runs, choice=st.sampled_from(["once", "deny"]), all=st.booleans())
    def answer(self, run_id: str, choice: Any, all: bool) -> None:
        self.numbers += 1
        self.send(AnswerApproval(f"c{self.numbers}", run_id, None, choice, None, all))

    @precondition(lambda self: self.commands)
    @rule(data=st.data())
    def send_again(self, data: st.DataObject) -> None:
        """A facade that has no answer, or that was sent the same by a client."""
        command = self.commands[data.draw(st.sampled_from(sorted(self.commands)))]
        if not isinstance(command, StartRun | DeleteRun) or not self.is_being_deleted(command.run_id):
            self.supervisor.obey(command)  # who deletes a run has had the answer to its start

    # ── what our processes do ────────────────────────────────────────────────────────────────────

    @precondition(lambda self: self.supervisor.asked_for())
    @rule(data=st.data())
    def fork(self, data: st.DataObject) -> None:
        asked = self.supervisor.asked_for()
        self.supervisor.zygote_forks(asked[data.draw(st.integers(0, len(asked) - 1))])

    @precondition(lambda self: self.speakers())
    @rule(data=st.data(), count=st.integers(1, 3))
    def say(self, data: st.DataObject, count: int) -> None:
        warden = data.draw(st.sampled_from(self.speakers()))
        events = warden.says(count)
        if warden.up:
            self.world.say(warden, events)

    @precondition(lambda self: self.askers())
    @rule(data=st.data())
    def ask(self, data: st.DataObject) -> None:
        warden = data.draw(st.sampled_from(self.askers()))
        events = warden.asks()
        if warden.up:
            self.world.say(warden, events)

    @precondition(lambda self: self.askers())
    @rule(data=st.data(), choice=st.sampled_from(["once", "deny"]))
    def ask_and_be_answered(self, data: st.DataObject, choice: Any) -> None:
        self.ask(data)
        self.work(rounds=1)
        for run in self.supervisor.register.all():
            self.answer(run.record.run_id, choice, False)

    @precondition(lambda self: self.speaking())
    @rule(data=st.data(), agent=st.sampled_from(["once", "again"]))
    def spawn(self, data: st.DataObject, agent: str) -> None:
        """An agent wants a child; what it was told already tells its wishes apart."""
        warden = data.draw(st.sampled_from(self.speaking()))
        self.numbers += 1
        line = {"spawn": f"k{self.numbers}", "agent": agent, "input": "x"}
        assert warden.children.wish(msgspec.json.encode(line)) is None

    @precondition(lambda self: self.bearing())
    @rule(data=st.data())
    def stop_child(self, data: st.DataObject) -> None:
        warden, child = data.draw(st.sampled_from(self.bearing()))
        assert warden.children.wish(msgspec.json.encode({"stop_child": child})) is None

    @precondition(lambda self: self.speaking())
    @rule(data=st.data(), completed=st.booleans())
    def end(self, data: st.DataObject, completed: bool) -> None:
        self.world.end(data.draw(st.sampled_from(self.speaking())), completed)

    @precondition(lambda self: self.world.alive())
    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        """A warden is killed, and with it its run."""
        data.draw(st.sampled_from(self.world.alive())).alive = False

    @precondition(lambda self: self.hearers())
    @rule(data=st.data())
    def hear(self, data: st.DataObject) -> None:
        self.world.hear(data.draw(st.sampled_from(self.hearers())))

    @precondition(lambda self: self.speakers())
    @rule(data=st.data(), ends_turn=st.booleans())
    def say_and_be_heard(self, data: st.DataObject, ends_turn: bool) -> None:
        self.say(data, 1)
        self.supervisor_hears(count=9)
        if ends_turn:
            self.supervisor.commit()

    @precondition(lambda self: self.world.inbox)
    @rule(count=st.integers(1, 4))
    def supervisor_hears(self, count: int) -> None:
        for _ in range(min(count, len(self.world.inbox))):
            self.supervisor.hear()

    @precondition(lambda self: self.supervisor.dead())
    @rule(data=st.data())
    def see_death(self, data: st.DataObject) -> None:
        self.supervisor.see_death(data.draw(st.sampled_from(self.supervisor.dead())))

    @rule(rounds=st.integers(1, 3))
    def work(self, rounds: int) -> None:
        """Everybody does what is to be done, but agents nothing."""
        for _ in range(rounds):
            for run in self.supervisor.asked_for():
                self.supervisor.zygote_forks(run)
            while self.world.inbox:
                self.supervisor.hear()
            self.supervisor.commit()
            for warden in self.hearers():
                while warden.mail and warden.alive:
                    self.world.hear(warden)
            for pid in self.supervisor.dead():
                self.supervisor.see_death(pid)

    @rule()
    def end_turn(self) -> None:
        self.supervisor.commit()

    @rule(seconds=st.sampled_from([0.1, 1.0, 8.0, 40.0]))
    def pass_time(self, seconds: float) -> None:
        self.supervisor.pass_time(seconds)

    @rule(mail_is_lost=st.booleans(), after=STAGES)
    def crash(self, mail_is_lost: bool, after: Stage) -> None:
        self.supervisor.crash(after)
        self.world.break_lines(mail_is_lost)
        self.supervisor = Supervisor(self.world, self.folder, self.root)
        self.supervisor.greet_again()

    @precondition(lambda self: self.roots < 2)
    @rule(after=STAGES)
    def end_of_root(self, after: Stage) -> None:
        """Root and all below it are gone; the next server has the same folder."""
        self.supervisor.crash(after)
        for warden in self.world.alive():
            warden.alive = False
        self.world.inbox.clear()
        self.roots += 1
        self.supervisor = Supervisor(self.world, self.folder, self.root)

    def speaking(self) -> list[Warden]:
        return [each for each in self.world.alive() if each.begun and each.last_word is None]

    def speakers(self) -> list[Warden]:
        return [each for each in self.speaking() if not each.unacked.full]

    def askers(self) -> list[Warden]:
        return [each for each in self.speakers() if each.desk.open < MOST_OPEN]

    def bearing(self) -> list[tuple[Warden, str]]:
        """Agents and the children that live as far as they know."""
        return [
            (each, child) for each in self.speaking() for child in _children(each) if child not in _gone(each)
        ]

    def hearers(self) -> list[Warden]:
        return [each for each in self.world.alive() if each.mail]

    # ── what must hold ───────────────────────────────────────────────────────────────────────────

    def record(self, run_id: str) -> RunRecord | None:
        found = self.reader.run(run_id)
        return None if found is None else found[1]

    def events(self, run_id: str) -> list[dict[str, Any]]:
        found = self.reader.run(run_id)
        assert found is not None
        batches = self.reader.batches(found[0], 0, 1 << 30)
        numbers = list(chain.from_iterable(range(each.first, each.last + 1) for each in batches))
        assert numbers == list(range(1, len(numbers) + 1)), "a run's events are numbered 1, 2, 3 …"
        lines = b"".join(each.data for each in batches).splitlines()
        assert len(lines) == len(numbers)
        for number, line in self.world.published.get(run_id, {}).items():
            assert lines[number - 1] == line, f"event {number} of {run_id} was published otherwise"
        return [msgspec.json.decode(line) for line in lines]

    def answered(self, kind: type, run_id: str) -> bool:
        answers = chain.from_iterable(self.world.answers.values())
        return any(isinstance(each, kind) and getattr(each, "run_id", "") == run_id for each in answers)

    @invariant()
    def what_was_accepted_is_there_until_it_is_deleted(self) -> None:
        for answer in chain.from_iterable(self.world.answers.values()):
            if isinstance(answer, RunAccepted) and not self.answered(RunDeleted, answer.run_id):
                assert self.record(answer.run_id) is not None or self.is_being_deleted(answer.run_id)

    def is_being_deleted(self, run_id: str) -> bool:
        """Committed, perhaps, and the answer lost with a supervisor."""
        return any(isinstance(each, DeleteRun) and each.run_id == run_id for each in self.commands.values())

    @invariant()
    def a_key_stands_for_one_run(self) -> None:
        runs: dict[tuple[str | None, bytes], set[str]] = {}
        for id, command in self.commands.items():
            if isinstance(command, StartRun) and command.idempotency_key is not None:
                for answer in self.world.answers.get(id, ()):
                    if isinstance(answer, RunAccepted) and not self.is_being_deleted(answer.run_id):
                        of_key = runs.setdefault((command.idempotency_key, command.body_hash), set())
                        of_key.add(answer.run_id)
        assert all(len(of_key) == 1 for of_key in runs.values()), runs
        bodies = [key for key, _ in runs]
        if not any(isinstance(each, DeleteRun) for each in self.commands.values()):
            assert len(bodies) == len(set(bodies)), "one body for a key"

    @invariant()
    def every_command_has_one_answer(self) -> None:
        for id, answers in self.world.answers.items():
            if isinstance(self.commands[id], StartRun):
                accepted = {each.run_id for each in answers if isinstance(each, RunAccepted)}
                known = {run_id for run_id in accepted if not self.is_being_deleted(run_id)}
                assert len(known) <= 1  # a key of a deleted run stands for nothing

    @invariant()
    def each_event_is_what_its_agent_said_and_in_that_order(self) -> None:
        for record in self.reader.runs(limit=200).records:
            events = self.events(record.run_id)
            for warden in self.world.of(record.run_id):
                said = [
                    event["n"] for event in events if event.get("attempt") == warden.attempt and "n" in event
                ]
                if warden.begun:  # another may have been forked for the same attempt
                    assert said == list(range(1, len(said) + 1))
                    assert warden.acked <= len(said) <= len(warden.said), "what was acknowledged is there"
            begun = {each.attempt for each in self.world.of(record.run_id) if each.begun}
            assert {event["attempt"] for event in events if "n" in event} <= begun
            names = [event["event"] for event in events]
            ends = [name for name in names if name in TERMINAL]
            assert len(ends) == record.status.ended
            assert not ends or names[-1] in TERMINAL
            if ends and record.reason is not Reason.KILL_STUCK:
                wardens = self.world.of(record.run_id)
                assert not [each for each in wardens if each.alive], "an end is proved"
                words = [each for each in wardens if each.attempt == record.attempt and each.let_go]
                assert not words or record.reason is not Reason.LOST, "a last word that was heard counts"

    @invariant()
    def an_agent_begins_once_for_each_attempt_and_never_beside_another(self) -> None:
        assert not [each for each in self.world.begun.items() if each[1] > 1]
        alive = [each.run_id for each in self.world.alive() if each.begun]
        assert len(alive) == len(set(alive))
        for run_id, attempt in self.world.begun:
            record = self.record(run_id)
            if record is not None and record.agent == "once":
                assert attempt == 1

    @invariant()
    def in_a_session_no_two_go_on_at_once(self) -> None:
        begun = {each.run_id for each in self.world.alive() if each.begun}
        records = [record for run_id in begun if (record := self.record(run_id)) is not None]
        in_turn = [each for each in records if each.session_id == "s" and each.on_conflict != "parallel"]
        assert len(in_turn) <= 1

    @invariant()
    def a_child_is_what_its_parent_was_told_and_ends_before_it(self) -> None:
        records = {each.run_id: each for each in self.reader.runs(limit=200).records}
        for warden in self.world.wardens:
            children = _children(warden)
            assert len(children) == len(set(children))
            for child in children:
                assert child in records or self.is_being_deleted(child)
            for child in _gone(warden):
                assert child not in records or records[child].status.ended
        for record in records.values():
            parent = records.get(record.parent_run_id or "")
            if parent is not None and parent.status.ended:
                assert record.status.ended, "a run ends after its children"

    @invariant()
    def what_is_asked_is_answered_once_and_only_that_is_heard(self) -> None:
        for record in self.reader.runs(limit=200).records:
            asked, responded = self.questions(record.run_id)
            assert set(responded) <= set(asked)
            for warden in self.world.of(record.run_id):
                assert len(dict(warden.heard)) == len(warden.heard), "heard twice"
                assert dict(warden.heard).items() <= responded.items()
            open_now = [each for each in asked if each not in responded and _is_of(record.attempt, each)]
            if record.status in (Status.RUNNING, Status.WAITING_FOR_APPROVAL) and record.exit_record is None:
                assert (record.status is Status.WAITING_FOR_APPROVAL) == bool(open_now)
                assert [each.request_id for each in record.approvals] == open_now
            else:
                assert not record.approvals
                assert not record.answers
            told = {
                id: answers
                for id, answers in self.world.answers.items()
                if self.is_approval(id, record.run_id)
            }
            accepted = [
                [each for each in answers if isinstance(each, ApprovalAnswered)] for answers in told.values()
            ]
            assert all(each == same[0] for same in accepted for each in same), "one command, two answers"
            assert sum(same[0].resolved for same in accepted if same) <= len(responded)

    def questions(self, run_id: str) -> tuple[list[str], dict[str, str]]:
        """What it asked, and what was answered."""
        events = self.events(run_id)
        responded = [each for each in events if each["event"] == "approval.responded"]
        found = {each["request_id"]: each["choice"] for each in responded}
        assert len(found) == len(responded), "answered twice"
        return [each["request_id"] for each in events if each["event"] == "approval.request"], found

    def is_approval(self, id: str, run_id: str) -> bool:
        command = self.commands[id]
        return isinstance(command, AnswerApproval) and command.run_id == run_id

    @invariant()
    def a_stopped_run_is_not_begun_again(self) -> None:
        for answer in chain.from_iterable(self.world.answers.values()):
            record = self.record(answer.run_id) if isinstance(answer, StopAccepted) else None
            if record is not None:
                assert record.attempt == self.stopped_at.setdefault(record.run_id, record.attempt)

    def settle(self) -> None:
        """Everybody does what he has to; then everything has its one end."""
        self.crash(mail_is_lost=False, after="decided")
        self.work(rounds=3)
        for warden in self.speaking():
            record = self.record(warden.run_id)
            if record is not None and record.status in (Status.RUNNING, Status.WAITING_FOR_APPROVAL):
                _, responded = self.questions(warden.run_id)
                given = {each for each in responded if _is_of(warden.attempt, each)}
                assert given == set(dict(warden.heard)), "an answer reaches the agent that goes on"
        for _ in range(ENOUGH):
            self.work(rounds=1)
            for warden in self.speaking():
                self.world.end(warden, completed=True)
            self.supervisor.pass_time(0.5)
            if not len(self.supervisor.register):
                break
        assert not len(self.supervisor.register), "every run comes to its end"
        assert not self.world.alive()
        for check in (
            self.what_was_accepted_is_there_until_it_is_deleted,
            self.each_event_is_what_its_agent_said_and_in_that_order,
            self.an_agent_begins_once_for_each_attempt_and_never_beside_another,
            self.a_child_is_what_its_parent_was_told_and_ends_before_it,
            self.what_is_asked_is_answered_once_and_only_that_is_heard,
            self.a_stopped_run_is_not_begun_again,
        ):
            check()
        for record in self.reader.runs(limit=200).records:
            assert record.status.ended
            told = [event["event"] for event in self.events(record.run_id)]
            if self.roots == 0:  # else it was lost together with its children
                assert told.count("subagent.start") == told.count("subagent.complete")


def _is_of(attempt: int, request_id: str) -> bool:
    return request_id.startswith(f"approval_{attempt}_")


def _children(warden: Warden) -> list[str]:
    return [each.run_id for each in warden.told_of if isinstance(each, ChildStarted)]


def _gone(warden: Warden) -> set[str]:
    return {each.run_id for each in warden.told_of if isinstance(each, ChildEnded)}


def _try(max_examples: int, steps: int) -> None:
    run_state_machine_as_test(
        Model,
        settings=settings(
            max_examples=max_examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_whatever_happens_in_whichever_order_nothing_that_was_told_turns_out_otherwise() -> None:
    _try(max_examples=20, steps=40)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_same_for_long() -> None:
    _try(max_examples=800, steps=80)
