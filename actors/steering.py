"""Guidance for live runs: journalled, passed on, and answered when the agent's own process has taken it, or not.

The event `run.steered` is the warden's, among what the agent says, so that it is there exactly once and in its place.
"""

from typing import Protocol

from . import wire
from .actor import Actor
from .journal.patient import PatientWriter
from .lifecycle import Phase
from .live_run import LiveRun
from .messages.answers import FromSupervisor, Refusal, RunSteered
from .messages.commands import SteerRun
from .messages.from_run import SteerTaken
from .messages.to_run import Steer
from .register import Register
from .relaying import OVERDUE_S
from .stacks import Answer

WARDENS_OWN_S = 0.5  # beside the time that it gives its agent
NO_ROOM = "there is no room on the journal's disk to note what is said to runs; make room there"
STALE_S = 10.0  # what is older when a supervisor takes its runs up has been given up by whoever said it


class House(Protocol):
    """What is needed of the supervisor."""

    journal: PatientWriter

    def now(self) -> float:
        """Unix seconds."""


class Steering:
    """The guidance that waits for its agents. The actor keeps who asked; the journal, what was taken."""

    def __init__(self, actor: Actor, house: House, register: Register) -> None:
        self._actor = actor
        self._house = house
        self._register = register
        self._unsaid: dict[str, list[SteerRun]] = {}  # by run: for wardens that are to come back

    def steer(self, command: SteerRun, answer: Answer) -> None:
        """Answer now or later, once. A command that is sent again reaches the agent once all the same."""
        run, journal = self._register.get(command.run_id), self._house.journal
        key = journal.run_key(command.run_id)
        if key is None or command.owner not in (None, journal.owner(key)):
            answer(Refusal(command.id, "run_not_found", f"Run not found: {command.run_id}"))
        elif journal.is_finished(command.id):
            answer(RunSteered(command.id, command.run_id))
        elif run is None:
            answer(_refused(command, "the run has ended"))
        elif run.state.phase is not Phase.RUNNING:
            answer(_refused(command, f"the run is {run.record.status}", run.record.status))
        elif journal.held_up:
            answer(Refusal(command.id, "journal_full", NO_ROOM, retry_after_s=10.0))
        else:
            journal.add_command(command.id, run.key, "steer", self._house.now(), wire.encode(command))
            self._actor.ask(
                ("steer", command.run_id, command.id),
                lambda: self._say(run, command),
                (OVERDUE_S if run.state.greeted else 2 * OVERDUE_S) + WARDENS_OWN_S,
                lambda taken: answer(_answer(command, taken)),
                lambda _: answer(self._unanswered(command)),
            )

    def _say(self, run: LiveRun, command: SteerRun) -> None:
        if run.route is None:
            self._unsaid.setdefault(command.run_id, []).append(command)
        else:
            run.tell(Steer(command.id, command.text))

    def _unanswered(self, command: SteerRun) -> FromSupervisor:
        self._unsaid.pop(command.run_id, None)
        why = f"nobody knows whether run {command.run_id} takes it: its warden does not answer. Watch for run.steered"
        return Refusal(command.id, "steer_unanswered", why)

    def taken(self, message: SteerTaken) -> None:
        """A warden answers. If nobody waits any more, nobody is told."""
        if message.why is None:
            self._house.journal.finish_command(message.command_id, self._house.now())
        self._actor.answer(("steer", message.run_id, message.command_id), message)

    def resume(self, run: LiveRun) -> None:
        """Say to a warden that came back what was not said yet, or an earlier supervisor may not have said to it."""
        commands = self._unsaid.pop(run.record.run_id, [])
        if run.state.phase is not Phase.RUNNING:
            return
        for pending in self._house.journal.pending_of(run.key, "steer"):
            if pending.at > self._house.now() - STALE_S:
                command = wire.to_supervisor.decode(pending.body)
                assert isinstance(command, SteerRun)
                commands.append(command)
        for said in {command.id: command for command in commands}.values():
            run.tell(Steer(said.id, said.text))


def _answer(command: SteerRun, taken: SteerTaken) -> FromSupervisor:
    return RunSteered(command.id, command.run_id) if taken.why is None else _refused(command, taken.why)


def _refused(command: SteerRun, why: str, status: str | None = None) -> FromSupervisor:
    message = f"run {command.run_id} takes no guidance now: {why}"
    return Refusal(command.id, "steer_not_accepted", message, status=status)
