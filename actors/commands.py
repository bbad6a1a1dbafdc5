"""What facades ask of the supervisor, and the answers. A command sent again is the same command."""

import os
from typing import assert_never

import msgspec

from ..config.sections import Settings
from . import lifecycle, limits, wire
from .accounts import Accounts
from .approving import Approving
from .forgetting import Forgetting
from .forking import Forking
from .live_run import House, LiveRun
from .messages.answers import (
    AgentInfo,
    Agents,
    FromSupervisor,
    Pong,
    Refusal,
    RunAccepted,
    RunDeleted,
    RunsStopping,
    StopAccepted,
)
from .messages.commands import (
    AnswerApproval,
    AskAgents,
    AskFigures,
    AskStack,
    DeleteRun,
    NoteDelivery,
    Ping,
    StartRun,
    SteerRun,
    StopRun,
    StopRuns,
    ToSupervisor,
)
from .offspring import Offspring
from .readoption import stop_plan
from .records import RunInput, RunRecord, Webhook
from .register import Register
from .replays import Replays
from .sessions import Sessions
from .stacks import Answer, Stacks
from .steering import Steering
from .webhooks import Webhooks


class Commands:
    """Decides each command and says what to answer once the journal has it."""

    def __init__(
        self,
        house: House,
        settings: Settings,
        register: Register,
        forking: Forking,
        stacks: Stacks,
        forgetting: Forgetting,
        approving: Approving,
        steering: Steering,
        sessions: Sessions,
    ) -> None:
        self._house = house
        self._settings = settings
        self._register = register
        self._forking = forking
        self._replays = Replays(house.journal)
        self._forgetting = forgetting
        self._stacks = stacks
        self._approving = approving
        self._steering = steering
        self.offspring = Offspring(house, settings, register, self._start)
        self._accounts = Accounts(house, register, forking, list(settings.agents), self.offspring.depth)
        self._sessions = sessions
        self._webhooks = Webhooks(house, settings.webhooks)
        self._began = house.clock()
        self.closing = False

    def obey(self, command: ToSupervisor, answer: Answer) -> None:
        """Do it and answer: now, or when a warden has said what is asked. Answers go out after the commit."""
        match command:
            case StartRun():
                answer(self._start(command))
            case StopRun():
                answer(self._stop(command))
            case StopRuns():
                answer(self._stop_all(command))
            case DeleteRun():
                answer(self._delete(command))
            case Ping():
                live = len(self._register) - self._register.waiting
                uptime_s = self._house.clock() - self._began
                waiting, why = self._register.waiting, self._held_back()
                answer(Pong(command.id, os.getpid(), uptime_s, live, waiting, why))
            case NoteDelivery():
                answer(self._webhooks.note(command))
            case AskAgents():
                answer(Agents(command.id, [self._agent(name) for name in self._settings.agents]))
            case AskStack():
                self._stacks.ask(command, answer)
            case AskFigures():
                answer(self._accounts.answer(command))
            case AnswerApproval():
                answer(self._approving.answer(command))
            case SteerRun():
                self._steering.steer(command, answer)
            case _:
                assert_never(command)

    def _start(self, command: StartRun) -> FromSupervisor:
        if (known := self._known(command)) is not None:
            return RunAccepted(command.id, known)  # the same command, sent again
        decided = self._replays.answer(command, self._house.now()) or self._why_not(command)
        if decided is not None:
            return decided
        allowed = limits.tightened(self._settings.agents[command.agent].limits, command.limits)
        entry = self._sessions.entry(command)
        spare_id = self._house.spare_for(command.agent, allowed) if entry.takes_spare else None
        if spare_id is not None:
            command = msgspec.structs.replace(command, run_id=spare_id)
        given = command.given
        if given.session_id is None:  # as hermes has it: a run alone is a session of its own
            given = msgspec.structs.replace(given, session_id=command.run_id)
        record = entry.noted(_new_record(command, given, allowed, self._house.now()), command.priority)
        key = self._house.journal.add_run(record, given)
        self._replays.note(command, key, record.created_at)
        if spare_id is not None:
            # So that the command is known again by its own id.
            self._house.journal.add_command(f"{command.id}/{spare_id}", key, "start", record.created_at, b"")
        run = LiveRun(self._house, key, record, given)
        run.queued(self._register.enter(run))
        self.offspring.born(run)
        for run_id in entry.stopped:
            self._interrupt(run_id, command)
        self._house.admit()
        return RunAccepted(command.id, command.run_id)

    def _known(self, command: StartRun) -> str | None:
        """The run that this command has started already, by the id that it proposed or by a spare's."""
        journal, run_id = self._house.journal, command.run_id
        if self._register.get(run_id) is not None or journal.run_key(run_id) is not None:
            return run_id
        return next(iter(journal.commanded(command.id)), None)

    def _why_not(self, command: StartRun) -> Refusal | None:
        if self.closing:
            return Refusal(command.id, "shutting_down", "the server is shutting down", retry_after_s=5.0)
        if command.agent not in self._settings.agents:
            known = ", ".join(sorted(self._settings.agents))
            message = f"there is no agent {command.agent!r}; this server has: {known}"
            return Refusal(command.id, "agent_not_found", message, param="agent")
        if (why := self._house.quarantined(command.agent)) is not None:
            message = f"{why}. Try again once they are gone, or start the server again"
            return Refusal(command.id, "agent_quarantined", message, param="agent", retry_after_s=10.0)
        if (refused := self.offspring.refuses(command)) is not None:
            return refused
        if self._house.room.is_short() or self._house.journal.held_up:
            message = "there is no room for another run on the journal's disk; make room there"
            return Refusal(command.id, "journal_full", message, retry_after_s=10.0)
        try:
            limits.tightened(self._settings.agents[command.agent].limits, command.limits)
        except ValueError as error:
            return Refusal(command.id, "invalid_value", str(error), param="limits")
        return self._sessions.refusal(command)

    def _held_back(self) -> str | None:
        """Why none of the runs that wait is begun, whatever slots there are."""
        if self._house.journal.held_up:
            return "there is no room on the journal's disk: runs wait for that"
        return self._register.gate.why_shut()

    def _stop(self, command: StopRun) -> FromSupervisor:
        run = self._register.get(command.run_id)
        if run is None and self._house.journal.run_key(command.run_id) is not None:
            return Refusal(command.id, "run_ended", f"run {command.run_id} has ended")
        if run is None or command.owner not in (None, run.record.owner):
            return Refusal(command.id, "run_not_found", f"run {command.run_id} is not known")
        self._begin_stop(run, command.id, command)
        return StopAccepted(command.id, command.run_id)

    def _stop_all(self, command: StopRuns) -> FromSupervisor:
        run_ids = self._house.journal.commanded(command.id)
        if not run_ids:  # else it is the same command, sent again
            matching = self._register.matching(
                command.owner, command.status, command.agent, command.session_id
            )
            run_ids = [run.record.run_id for run in matching]
            for run in matching:
                self._begin_stop(run, f"{command.id}/{run.record.run_id}", command)
        return RunsStopping(command.id, run_ids)

    def _begin_stop(self, run: LiveRun, command_id: str, command: StopRun | StopRuns) -> None:
        body = wire.encode(command)
        if self._house.journal.add_command(command_id, run.key, "stop", self._house.now(), body):
            run.record.stop_reason = command.reason or run.record.stop_reason
            run.advance(lifecycle.StopWanted(stop_plan(command_id, command, self._settings.runs)))

    def _interrupt(self, run_id: str, start: StartRun) -> None:
        """The start takes the turn of their session from this run, which is stopped like any other, but not twice."""
        run = self._register.get(run_id)
        if run is not None and run.state.stop is None:
            reason = f"interrupted by {start.run_id}, of the same session"
            stop = StopRun(f"{start.run_id} takes the turn of {run_id}", run_id, None, reason=reason)
            self._begin_stop(run, stop.id, stop)

    def _delete(self, command: DeleteRun) -> FromSupervisor:
        run, journal = self._register.get(command.run_id), self._house.journal
        key = journal.run_key(command.run_id)
        if key is None or command.owner not in (None, journal.owner(key)):
            return Refusal(command.id, "run_not_found", f"run {command.run_id} is not known")
        if run is not None:
            message = f"run {command.run_id} has not ended; stop it first"
            return Refusal(command.id, "run_live", message, status=run.record.status)
        if journal.held_up:
            message = (
                "there is no room on the journal's disk to note that the run is forgotten; make room there"
            )
            return Refusal(command.id, "journal_full", message, retry_after_s=10.0)
        self._forgetting.forget(key, command.run_id)
        return RunDeleted(command.id, command.run_id)

    def _agent(self, name: str) -> AgentInfo:
        spec = self._settings.agents[name]
        limits = {key: value for key, value in msgspec.structs.asdict(spec.limits).items() if value}
        why = self._house.quarantined(name)
        return AgentInfo(
            name=name,
            description=spec.description,
            kind=self._forking.kinds.get(name),
            # Of a command, its program: the arguments may hold what is not for every reader.
            entrypoint=spec.entrypoint or "".join(spec.command[:1]),  # a callable has neither
            network=spec.network,
            restart=spec.restart,
            spawn=list(spec.spawn),
            work_folder=spec.work_folder,
            limits=limits,
            containment=self._house.containment_of(name),
            health="quarantined" if why else self._forking.health(name),
            live_runs=self._register.live(name),
            warnings=[*self._forking.warnings(name), *([why] if why else [])],
        )


def _new_record(command: StartRun, given: RunInput, allowed: dict[str, float], now: float) -> RunRecord:
    return RunRecord(
        run_id=command.run_id,
        agent=command.agent,
        created_at=now,
        updated_at=now,
        session_id=given.session_id,
        parent_run_id=command.parent_run_id,
        metadata=given.metadata,
        model=given.model,
        owner=command.owner,
        limits=allowed,
        webhook=None if command.webhook is None else Webhook(command.webhook),
        trace_parent=command.trace_parent,
    )
