"""People's answers to what runs ask: which request a command answers, and what becomes of those that nobody answers.

An answer, the event that tells of it and the run without that request are one commit; the warden is told after it,
again by every later supervisor, until it says that it has it. So an agent hears exactly one answer to a question.
"""

from functools import partial

from ..config.sections import Settings
from . import lifecycle, wire
from .actor import Timer
from .live_run import House, LiveRun
from .messages.answers import ApprovalAnswered, FromSupervisor, Refusal
from .messages.commands import AnswerApproval, StopRun
from .readoption import stop_plan
from .records import ApprovalAnswer, ApprovalRequest
from .register import Register
from .steering import NO_ROOM

_LATE_S = 0.001  # a timer may be as early by the clock on the wall


class Approving:
    """Of all live runs. `asked` is called whenever what a run waits for has changed."""

    def __init__(self, house: House, settings: Settings, register: Register) -> None:
        self._house = house
        self._settings = settings
        self._register = register
        self._deadlines: dict[str, list[Timer]] = {}  # by run

    def answer(self, command: AnswerApproval) -> FromSupervisor:
        """Decide; the answer goes out after the commit. The same command, sent again, is answered as it was."""
        run, journal = self._register.get(command.run_id), self._house.journal
        key = journal.run_key(command.run_id)
        if key is None or command.owner not in (None, journal.owner(key)):
            return Refusal(command.id, "run_not_found", f"Run not found: {command.run_id}")
        done = journal.command_body(command.id)
        if done is not None:
            return wire.from_supervisor.decode(done)
        if run is None or not (chosen := _chosen(run.state.asked, command)):
            message = f"Run has no active approval session: {command.run_id}"
            return Refusal(command.id, "approval_not_active", message)
        if journal.held_up:
            return Refusal(command.id, "journal_full", NO_ROOM, retry_after_s=10.0)
        offered = [choice for choice in chosen[0].choices if all(choice in each.choices for each in chosen)]
        if command.choice not in (*offered, "deny"):
            message = f"Invalid approval choice; expected one of: {', '.join(offered)}"
            return Refusal(command.id, "invalid_approval_choice", message, param="choice")
        now = self._house.now()
        answer = ApprovalAnswered(command.id, command.run_id, command.choice, len(chosen))
        journal.add_command(command.id, run.key, "approval", now, wire.encode(answer))
        journal.finish_command(command.id, now)  # until it is told, it is kept in the run's record
        run.answered(tuple(ApprovalAnswer(each.request_id, command.choice, command.note) for each in chosen))
        return answer

    def asked(self, run: LiveRun) -> None:
        """See to the deadlines of what it asks, and no longer to others."""
        run_id = run.record.run_id
        for timer in self._deadlines.pop(run_id, ()):
            timer.cancel()
        timers = [
            self._house.after(max(0.0, each.expires_at - self._house.now()), partial(self._overdue, run_id))
            for each in run.state.asked
            if each.expires_at is not None
        ]
        if timers:
            self._deadlines[run_id] = timers

    def _overdue(self, run_id: str) -> None:
        run = self._register.get(run_id)
        if run is None:
            return
        late = self._house.now() + _LATE_S
        over = [each for each in run.state.asked if each.expires_at is not None and each.expires_at <= late]
        spec = self._settings.agents.get(run.record.agent)
        if over and spec is not None and spec.approval_deadline == "stop":
            self._stop(run, over[0])
        elif over:
            run.answered(tuple(ApprovalAnswer(each.request_id, "deny", timed_out=True) for each in over))
        self.asked(run)  # the clock on the wall may have been set back

    def _stop(self, run: LiveRun, over: ApprovalRequest) -> None:
        """As a user's stop, journalled as one."""
        command = StopRun(
            f"{run.record.run_id}/{over.request_id}", run.record.run_id, None, reason="approval_timeout"
        )
        body = wire.encode(command)
        if self._house.journal.add_command(command.id, run.key, "stop", self._house.now(), body):
            run.record.stop_reason = run.record.stop_reason or command.reason
            run.advance(lifecycle.StopWanted(stop_plan(command.id, command, self._settings.runs)))


def _chosen(asked: tuple[ApprovalRequest, ...], command: AnswerApproval) -> tuple[ApprovalRequest, ...]:
    """The open requests that a command answers: the one that it names, all, or the oldest."""
    if command.request_id is not None:
        return tuple(each for each in asked if each.request_id == command.request_id)
    return asked if command.all else asked[:1]
