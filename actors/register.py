"""The runs that have not ended: who is there, who waits for a slot, whose turn it is in a session."""

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Protocol

from . import admission
from .admission import Caps, InSession, Live, Session, Waiting
from .live_run import LiveRun
from .records import RunRecord, Status
from .run_queue import RunQueue


class Gate(Protocol):
    """What lets runs in, beside slots (`memory_gate.py`)."""

    def room(self) -> int | None:
        """For how many runs; None: for any number."""

    def took(self, runs: int) -> None:
        """So many were let in."""

    def why_shut(self) -> str | None:
        """Why no run is let in, if that is so."""


class Open:
    """A gate that is never shut."""

    def room(self) -> int | None:
        """For any number."""
        return None

    def took(self, runs: int) -> None:
        """Whatever."""

    def why_shut(self) -> str | None:
        """It is not."""
        return None


class Register:
    """Every unended run by its id, and the queue. Holds no ended run.

    `step_s`: the head start of a step of priority.
    """

    def __init__(self, caps: Caps, step_s: float = 0.0, gate: Gate | None = None) -> None:
        self.caps = caps
        self._step_s = step_s
        self.gate = gate or Open()
        self._runs: dict[str, LiveRun] = {}
        self._queue = RunQueue()
        self._live = Live()
        self._holders: set[str] = set()  # who holds a slot, or uses its parent's
        self._sharing: set[str] = set()  # the latter
        self._bearing: Counter[str] = Counter()  # parent → children that hold one or use its own
        self._wanting: dict[str, dict[str, Waiting]] = {}  # parent → children that wait for one

    def __len__(self) -> int:
        return len(self._runs)

    def get(self, run_id: str) -> LiveRun | None:
        """The run, if it has not ended."""
        return self._runs.get(run_id)

    def spoken_for(self, holder: str) -> LiveRun | None:
        """The run that the holder of an attempt's key speaks for; none, if that attempt is over."""
        run_id, _, attempt = holder.partition("/")
        run = self._runs.get(run_id)
        return run if run is not None and attempt == str(run.record.attempt) else None

    def all(self) -> list[LiveRun]:
        """A copy, so that runs may end meanwhile."""
        return list(self._runs.values())

    def holders(self) -> list[LiveRun]:
        """The runs that hold a slot."""
        return [self._runs[run_id] for run_id in self._holders]

    @property
    def waiting(self) -> int:
        """How many wait for a slot, or for the time of their next attempt."""
        return len(self._runs) - len(self._holders)

    def waiting_of(self, owner: str) -> int:
        """How many of his wait for a slot."""
        return self._queue.of_owner(owner)

    def live(self, agent: str) -> int:
        """How many runs of this agent hold a slot."""
        return self._live.agents.get(agent, 0)

    def in_session(self, owner: str, session_id: str | None) -> InSession:
        """The runs of this session that have not ended."""
        return InSession() if session_id is None else self._queue.in_session((owner, session_id))

    def matching(
        self, owner: str | None, status: Status | None, agent: str | None, session_id: str | None
    ) -> list[LiveRun]:
        """The runs that match all that is not None. Those that wait come first, so that none of them is let in."""
        wanted = {"owner": owner, "status": status, "agent": agent, "session_id": session_id}
        asked = [(name, value) for name, value in wanted.items() if value is not None]
        found = [
            run for run in self.all() if all(getattr(run.record, name) == value for name, value in asked)
        ]
        return sorted(found, key=lambda run: run.record.run_id not in self._queue)

    def begins_at_once(
        self, payer: str, agent: str, waits_for: InSession, parent_run_id: str | None = None
    ) -> bool:
        """Whether a new run would be admitted as soon as it came. `payer`: in whose cap it counts, if in any.
        `waits_for`: its session, where it heeds that.

        None that waits is in its way: whoever may start has started already.
        """
        if waits_for.turn or waits_for.waiting:
            return False
        new = Waiting("", agent, payer, (0.0, 0), 0)
        may = admission.has_room_beside_slots if self._lends(parent_run_id) else admission.may_start
        return may(new, self._live, self.caps) and self.gate.room() != 0

    def enter(self, run: LiveRun) -> int:
        """A run waits for a slot; its position in the queue, from 1."""
        run_id = run.record.run_id
        self._runs[run_id] = run
        if run.record.attempt > 1:
            self._take_turn(run)  # it never gave it up, whoever was the supervisor
        waiting = self._as_waiting(run)
        self._queue.enter(waiting)
        if run.record.parent_run_id is not None:
            self._wanting.setdefault(run.record.parent_run_id, {})[run_id] = waiting
        return self._queue.position(run_id)

    def readmit(self, run: LiveRun) -> None:
        """A run that began under an earlier supervisor holds a slot, whether or not there is one for it."""
        self._runs[run.record.run_id] = run
        self._hold(run)

    def rest(self, run: LiveRun) -> None:
        """A run whose next attempt is not due yet: it is known, and neither waits for a slot nor holds one.

        The turn of its session it keeps.
        """
        self._runs[run.record.run_id] = run
        self._take_turn(run)

    def admit(self, held_back: Collection[str] = ()) -> Iterable[LiveRun]:
        """Runs that may start now, of agents that are not held back; each holds a slot from here on until `leave`."""
        admitted = self._begin_in_parents_slots(held_back)
        if not len(self._queue) or self._live.total >= self.caps.max_live:
            return admitted
        while found := admission.admissible(
            self._queue.ready(), self._live, self.caps, held_back, self.gate.room()
        ):
            # One that is ready no more: another of these has just taken the turn of its session.
            admitted.extend(self._begin(each.run_id) for each in found if self._queue.is_ready(each))
        return admitted

    def _begin_in_parents_slots(self, held_back: Collection[str]) -> list[LiveRun]:
        """Of each parent's children one needs no slot: else parents that hold all slots would wait for ever."""
        begun: list[LiveRun] = []
        for parent, children in tuple(self._wanting.items()):
            found = next(
                (each for each in children.values() if self._may_share(each, parent, held_back)), None
            )
            if found is not None:
                begun.append(self._begin(found.run_id))
        return begun

    def _may_share(self, child: Waiting, parent: str, held_back: Collection[str]) -> bool:
        return (
            self._lends(parent)
            and self._queue.is_ready(child)
            and admission.has_room_beside_slots(child, self._live, self.caps, held_back)
            and self.gate.room() != 0
        )

    def _lends(self, parent: str | None) -> bool:
        """Whether its slot is free for a child of its own."""
        return parent in self._holders and not self._bearing[parent or ""]

    def _begin(self, run_id: str) -> LiveRun:
        run = self._runs[run_id]
        self._leave_queue(run)
        self._hold(run)
        self.gate.took(1)
        return run

    def leave(self, run: LiveRun) -> None:
        """It ended: its slot is free, and the turn of its session."""
        run_id = run.record.run_id
        self._runs.pop(run_id, None)
        self._leave_queue(run)
        session = session_of(run.record)
        if session is not None:
            self._queue.end_turn(session, run_id)
        if run_id in self._holders:
            self._holders.discard(run_id)
            self._live.add(run.record.agent, _payer(run.record), -1)
            self._give_back(run)

    def _hold(self, run: LiveRun) -> None:
        run_id, parent = run.record.run_id, run.record.parent_run_id
        if self._lends(parent):
            self._sharing.add(run_id)
            self._live.total -= 1
        if parent is not None:
            self._bearing[parent] += 1
        self._holders.add(run_id)
        self._live.add(run.record.agent, _payer(run.record))
        self._take_turn(run)

    def _give_back(self, run: LiveRun) -> None:
        run_id, parent = run.record.run_id, run.record.parent_run_id
        if run_id in self._sharing:
            self._sharing.discard(run_id)
            self._live.total += 1
        if parent is not None:
            self._bearing[parent] -= 1
            if not self._bearing[parent]:
                del self._bearing[parent]

    def _leave_queue(self, run: LiveRun) -> None:
        run_id, parent = run.record.run_id, run.record.parent_run_id
        self._queue.leave(run_id)
        if parent is not None and parent in self._wanting:
            self._wanting[parent].pop(run_id, None)
            if not self._wanting[parent]:
                del self._wanting[parent]

    def _take_turn(self, run: LiveRun) -> None:
        session = session_of(run.record)
        if session is not None:
            self._queue.take_turn(session, run.record.run_id)

    def _as_waiting(self, run: LiveRun) -> Waiting:
        record = run.record
        waits_for_turn = record.on_conflict != "parallel" and record.attempt == 1
        return Waiting(
            run_id=record.run_id,
            agent=record.agent,
            owner=_payer(record),
            rank=admission.rank(record.created_at, run.key, record.priority, self._step_s),
            number=run.key,
            session=session_of(record) if waits_for_turn else None,
            jumps=record.on_conflict == "interrupt",
        )


def session_of(record: RunRecord) -> Session | None:
    """The one that a run belongs to: of its owner alone."""
    return None if record.session_id is None else (record.owner, record.session_id)


def _payer(record: RunRecord) -> str:
    """The key in whose cap it counts: a child in none, since its parent may hold that while it waits for it."""
    return "" if record.parent_run_id is not None else record.owner
