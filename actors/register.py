"""The runs that have not ended: who is there, who waits for a slot."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from . import admission
from .live_run import LiveRun
from .records import Status


class Register:
    """Every unended run by its id, and the queue in order of arrival. Holds no ended run."""

    def __init__(self, max_live: int, max_concurrent: Mapping[str, int]) -> None:
        self._max_live = max_live
        self._max_concurrent = max_concurrent
        self._runs: dict[str, LiveRun] = {}
        self._queue: dict[str, LiveRun] = {}
        self._slots: Counter[str] = Counter()  # agent → runs that hold one
        self._holders: set[str] = set()  # those runs

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

    def live(self, agent: str) -> int:
        """How many runs of this agent hold a slot."""
        return self._slots[agent]

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

    def enter(self, run: LiveRun) -> int:
        """A new run waits; its position in the queue, from 1."""
        self._runs[run.record.run_id] = self._queue[run.record.run_id] = run
        return len(self._queue)

    def readmit(self, run: LiveRun) -> None:
        """A run that began under an earlier supervisor holds a slot, whether or not there is one for it."""
        self._runs[run.record.run_id] = run
        self._hold(run)

    def rest(self, run: LiveRun) -> None:
        """A run whose next attempt is not due yet: it is known, and neither waits for a slot nor holds one."""
        self._runs[run.record.run_id] = run

    def admit(self, held_back: Collection[str] = ()) -> Iterable[LiveRun]:
        """Runs that may start now, of agents that are not held back; each holds a slot from here on until `leave`."""
        if not self._queue:
            return []
        named = ((run_id, run.record.agent) for run_id, run in self._queue.items())
        waiting = (each for each in named if each[1] not in held_back)
        admitted = admission.admissible(waiting, self._slots, self._max_live, self._max_concurrent)
        return [self._take_slot(run_id) for run_id in admitted]

    def leave(self, run: LiveRun) -> None:
        """It ended: its slot is free."""
        run_id = run.record.run_id
        self._runs.pop(run_id, None)
        self._queue.pop(run_id, None)
        if run_id in self._holders:
            self._holders.discard(run_id)
            self._slots[run.record.agent] -= 1

    def _take_slot(self, run_id: str) -> LiveRun:
        run = self._queue.pop(run_id)
        self._hold(run)
        return run

    def _hold(self, run: LiveRun) -> None:
        self._holders.add(run.record.run_id)
        self._slots[run.record.agent] += 1
