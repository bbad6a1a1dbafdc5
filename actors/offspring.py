"""Child runs as the supervisor holds them: born, told of to their parents, ended with them.

A child is a run like any other; what makes it one is `parent_run_id` in its record, and so in the journal. Whose it
is, the connection tells that asked, never what was said on it. What goes for trees:
- a run that is to end, or has lost its agent, gets no child any more; those that it has are stopped with it;
- a run ends after all its children, so its terminal event is the last of its tree, and its usage that of all of it.
"""

from collections.abc import Callable
from hashlib import blake2b

import msgspec

from ..config.sections import Settings
from . import lifecycle, wire
from .lifecycle import Phase, StopPlan
from .live_run import House, LiveRun
from .messages.answers import FromSupervisor, Refusal, RunAccepted
from .messages.commands import StartRun, StopRun
from .messages.from_run import AskChild, SpawnRun
from .messages.to_run import ChildGone, NotSpawned, Spawned
from .records import RunRecord, Usage
from .register import Register
from .trees import Trees, added

NOT_ALLOWED = "spawn_not_allowed"
SUMMARY_LENGTH = 500  # characters of a child's output, or of its error, that its parent's events tell
MOST_STOPS = 3  # one for each rung


class Offspring:
    """All trees of live runs. `start` is how a run is started that a client asks for."""

    def __init__(
        self,
        house: House,
        settings: Settings,
        register: Register,
        start: Callable[[StartRun], FromSupervisor],
    ) -> None:
        self._house = house
        self._settings = settings
        self._register = register
        self._start = start
        self._trees = Trees(settings.runs)

    # ── born ─────────────────────────────────────────────────────────────────────────────────────

    def depth(self) -> int:
        """The levels of the deepest tree of live runs; 1 where no run has a child."""
        return self._trees.depth()

    def refuses(self, command: StartRun) -> Refusal | None:
        """Why that parent gets no child by this command; None if it does, or there is no parent."""
        if command.parent_run_id is None:
            return None
        parent = self._register.get(command.parent_run_id)
        if parent is None or parent.record.owner != command.owner:
            message = f"{command.parent_run_id} is no live run of this key"
            return Refusal(command.id, "run_not_live", message, param="parent_run_id")
        if parent.state.phase is not Phase.RUNNING or parent.state.stop is not None:
            message = f"{command.parent_run_id} is not running, or is to end"
            return Refusal(command.id, "run_not_live", message, param="parent_run_id")
        full = self._trees.why_full(command.parent_run_id)
        if full is not None:
            message = f"{command.parent_run_id} can have no other child: {full}"
            return Refusal(command.id, "tree_full", message, param="parent_run_id")
        return None if command.on_conflict == "parallel" else self._refuses_session(command)

    def _refuses_session(self, command: StartRun) -> Refusal | None:
        """A child that waits for the session of a run that waits for the child would wait for ever."""
        assert command.parent_run_id is not None
        line = (self._register.get(run_id) for run_id in self._trees.above(command.parent_run_id))
        taken = {run.record.session_id for run in line if run is not None}
        if command.given.session_id is None or command.given.session_id not in taken:
            return None
        message = "a run above it is in that session; give it another, or none"
        return Refusal(command.id, "invalid_value", message, param="session_id")

    def born(self, run: LiveRun) -> None:
        """A run was journalled: if it has a parent, that is told in the same turn."""
        parent = self._parent(run)
        if parent is not None:
            self._trees.add(run.record.run_id, parent.record.run_id)
            self._house.figures.child_born(run.record.agent)
            parent.tell_of("subagent.start", child_run_id=run.record.run_id, agent=run.record.agent)

    def spawn(self, parent: LiveRun, asked: SpawnRun) -> None:
        """What the warden of that run asks. The same wish again is the same run."""
        command = _command(parent.record, asked)
        known = self._house.journal.run_key(command.run_id) or self._house.journal.commanded(command.id)
        if not known and not self._may(parent, asked):
            why = f"its agent's `spawn` does not list {asked.agent!r}"
            self._refuse(parent, NotSpawned(asked.n, NOT_ALLOWED, why))
            return
        match self._start(command):
            case RunAccepted(run_id=child_run_id):
                self._tell(parent, Spawned(asked.n, child_run_id))
                if known:
                    self._tell_if_gone(parent, child_run_id)
            case Refusal(code=code, message=message):
                self._refuse(parent, NotSpawned(asked.n, code, message))

    def _refuse(self, parent: LiveRun, why: NotSpawned) -> None:
        self._house.figures.child_refused(parent.record.agent, why.code)
        self._tell(parent, why)

    def _may(self, parent: LiveRun, asked: SpawnRun) -> bool:
        """Asked again here, since a warden may have been taken over."""
        spec = self._settings.agents.get(parent.record.agent)
        return spec is not None and asked.agent in spec.spawn

    # ── asked about ──────────────────────────────────────────────────────────────────────────────

    def asked(self, parent: LiveRun, asked: AskChild) -> None:
        """Stop that child if that is wished, and tell its end once it has come. No child of its: say nothing."""
        child = self._register.get(asked.child_run_id)
        if child is None:
            self._tell_if_gone(parent, asked.child_run_id)
        elif child.record.parent_run_id == parent.record.run_id:
            run_id, attempt = parent.record.run_id, parent.record.attempt
            for number in range(1, min(asked.stops, MOST_STOPS) + 1):
                # Those that it asked before are known by their ids, and change nothing.
                stop = self._plan(f"stop {number} by {run_id} {attempt}")
                self._stop(child, stop, f"its parent {run_id} asked for it")

    def _tell_if_gone(self, parent: LiveRun, child_run_id: str) -> None:
        if self._register.get(child_run_id) is None:
            record = self._house.journal.record(child_run_id)
            if record is None:
                error = "its record was deleted"
                self._tell(parent, ChildGone(child_run_id, "failed", "lost", b"", error, Usage()))
            elif record.parent_run_id == parent.record.run_id:
                self._tell(parent, _gone(record))

    # ── ended ────────────────────────────────────────────────────────────────────────────────────

    def stop_below(self, run: LiveRun, plan: StopPlan) -> None:
        """The run is to end: so is all below it, by the same rungs. A shutdown is told to every run anyway."""
        if not plan.shutdown:
            self._stop_children(run, plan, f"its parent {run.record.run_id} is to end")

    def holds(self, run: LiveRun) -> bool:
        """Nothing is left of the run itself. Whether it has live children: those are stopped, and it ends after."""
        if not self._trees.children(run.record.run_id):
            return False
        record = run.record
        if run.state.stop is None:  # else they were told already
            plan = self._plan(f"end of {record.run_id} {record.attempt}")
            self._stop_children(run, plan, f"its parent {record.run_id} has ended")
        return bool(self._trees.children(record.run_id))

    def _stop_children(self, run: LiveRun, plan: StopPlan, why: str) -> None:
        for child_run_id in self._trees.children(run.record.run_id):
            child = self._register.get(child_run_id)
            if child is not None:
                self._stop(child, plan, why)

    def _stop(self, child: LiveRun, plan: StopPlan, why: str) -> None:
        """By a command of its own, journalled in this turn. Its id is made of the one that began it all, so that what
        is stopped both as a child and for itself is stopped once."""
        command_id = f"{plan.command_id.partition('/')[0]}/{child.record.run_id}"
        alike = plan.interrupt_grace_s == plan.terminate_grace_s
        grace_s = plan.interrupt_grace_s if alike else None
        command = StopRun(command_id, child.record.run_id, None, plan.mode, grace_s, why)
        body, now = wire.encode(command), self._house.now()
        if self._house.journal.add_command(command_id, child.key, "stop", now, body):
            child.record.stop_reason = child.record.stop_reason or why
            its_own = StopPlan(command_id, plan.mode, plan.interrupt_grace_s, plan.terminate_grace_s)
            child.advance(lifecycle.StopWanted(its_own))

    def ended(self, run: LiveRun) -> None:
        """A run ended: its parent has its usage, and is told; and ends itself, if it waited for that."""
        parent = self._parent(run)
        self._trees.remove(run.record.run_id)
        if parent is None:
            return
        record = run.record
        parent.record.usage = added(parent.record.usage, record.usage)
        told = {"child_run_id": record.run_id, "status": record.status, "summary": summary(record)}
        parent.tell_of("subagent.complete", **told)
        self._tell(parent, _gone(record))
        if not self._trees.children(parent.record.run_id):
            parent.end_if_held()

    # ── taken up ─────────────────────────────────────────────────────────────────────────────────

    def take_up(self) -> None:
        """The runs of an earlier supervisor are in the register: what lost its parent, or is to end with it, ends."""
        below = [run for run in self._register.all() if run.record.parent_run_id is not None]
        for run in below:
            if self._parent(run) is not None:
                self._trees.add(run.record.run_id, run.record.parent_run_id or "")
        for run in below:
            parent = self._parent(run)
            if parent is None:
                lost = self._plan(f"end of {run.record.parent_run_id}")
                self._stop(run, lost, f"its parent {run.record.parent_run_id} has ended")
            elif parent.state.stop is not None:
                self.stop_below(parent, parent.state.stop)

    def _plan(self, command_id: str) -> StopPlan:
        """A stop from the interrupt up, with the configured grace."""
        runs = self._settings.runs
        return StopPlan(command_id, "interrupt", runs.interrupt_grace_s, runs.terminate_grace_s)

    def _tell(self, parent: LiveRun, message: Spawned | NotSpawned | ChildGone) -> None:
        """The warden, once the journal has it. One that has a new line by then asks again."""
        route = parent.route
        if route is not None:
            later = self._house.at_once if isinstance(message, NotSpawned) else self._house.then
            later(lambda: self._house.tell(route, message))

    def _parent(self, run: LiveRun) -> LiveRun | None:
        parent_run_id = run.record.parent_run_id
        return None if parent_run_id is None else self._register.get(parent_run_id)


def summary(record: RunRecord) -> str | None:
    """What came of a run, in short."""
    text = record.error
    if text is None and record.output is not None:
        output = msgspec.json.decode(record.output)
        text = output if isinstance(output, str) else bytes(record.output).decode()
    return text if text is None or len(text) <= SUMMARY_LENGTH else f"{text[: SUMMARY_LENGTH - 1]}…"


def _command(parent: RunRecord, asked: SpawnRun) -> StartRun:
    """The command of a wish. Both ids follow from it, so that it is known again."""
    wish = f"spawn {parent.run_id} {asked.attempt} {asked.n}"
    run_id = f"run_{blake2b(wish.encode(), digest_size=16).hexdigest()}"
    return StartRun(
        wish,
        run_id,
        parent.owner,
        asked.agent,
        asked.given,
        parent.run_id,
        asked.limits,
        on_conflict="parallel",  # who waits for a turn might wait for one that waits for this tree
        priority=parent.priority,
    )


def _gone(record: RunRecord) -> ChildGone:
    output = b"" if record.output is None else bytes(record.output)
    reason, usage = record.reason, record.usage or Usage()
    return ChildGone(record.run_id, record.status.value, reason, output, record.error, usage)
