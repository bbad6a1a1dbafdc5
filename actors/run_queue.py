"""The runs that wait for a slot, in order, and whose turn it is in each session. Pure: no clock, no I/O.

1. What the order is depends only on who waits and who has a turn, not on how it came to be: so the next supervisor
   finds it again in the journal.
2. In a session there is one turn. Who waits for it goes in the order of arrival, whatever his priority, but for one
   that interrupts, which is next. A run that waits for no turn (`session` None) may have one all the same.
"""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable

from .admission import InSession, Rank, Session, Waiting


class RunQueue:
    """Each change costs the logarithm of the queue and a session's own length, but for `position`."""

    def __init__(self) -> None:
        self._waiting: dict[str, Waiting] = {}
        self._ready: list[Waiting] = []  # by rank: those that wait for a slot only
        self._lines: dict[Session, list[Waiting]] = {}  # those that want its turn, in order
        self._next: dict[Session, Waiting] = {}  # of a line, who is ready
        self._turns: dict[Session, set[str]] = {}
        self._owners: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, run_id: object) -> bool:
        return run_id in self._waiting

    def ready(self) -> Iterable[Waiting]:
        """Who would start now if there were a slot for each, by rank. Not to be held over a change."""
        return self._ready

    def is_ready(self, run: Waiting) -> bool:
        """Whether it is one of those, still."""
        return run.run_id in self._waiting and (run.session is None or self._next.get(run.session) is run)

    def of_owner(self, owner: str) -> int:
        """How many of his wait."""
        return self._owners[owner]

    def in_session(self, session: Session) -> InSession:
        """Who is there. Not those that were to run beside the others and wait for a slot."""
        return InSession(tuple(sorted(self._turns.get(session, ()))), tuple(self._lines.get(session, ())))

    def enter(self, run: Waiting) -> None:
        """It waits from now on."""
        self._waiting[run.run_id] = run
        self._owners[run.owner] += 1
        if run.session is None:
            insort(self._ready, run, key=_rank)
        else:
            insort(self._lines.setdefault(run.session, []), run, key=_place)
            self._refresh(run.session)

    def position(self, run_id: str) -> int:
        """How many of those that wait go before it, and one. Looks at all of them."""
        run = self._waiting[run_id]
        rank, place = run.rank, _place(run)
        line = [] if run.session is None else self._lines[run.session]
        by_rank = sum([each.rank < rank for each in self._waiting.values()])
        # In its own line it is not ranks that count.
        return 1 + by_rank + sum((_place(each) < place) - (each.rank < rank) for each in line)

    def leave(self, run_id: str) -> None:
        """It waits no longer, if it did: it starts, or it ended."""
        run = self._waiting.pop(run_id, None)
        if run is None:
            return
        self._owners[run.owner] -= 1
        if not self._owners[run.owner]:
            del self._owners[run.owner]
        if run.session is None:
            _remove(self._ready, run)
            return
        line = self._lines[run.session]
        line.remove(run)
        if not line:
            del self._lines[run.session]
        self._refresh(run.session)

    def take_turn(self, session: Session, run_id: str) -> None:
        """It began; until `end_turn` nobody has the next turn."""
        self._turns.setdefault(session, set()).add(run_id)
        self._refresh(session)

    def end_turn(self, session: Session, run_id: str) -> None:
        """It ended, if it ever began."""
        turn = self._turns.get(session)
        if turn is None:
            return
        turn.discard(run_id)
        if not turn:
            del self._turns[session]
            self._refresh(session)

    def _refresh(self, session: Session) -> None:
        line = self._lines.get(session)
        now = line[0] if line and session not in self._turns else None
        before = self._next.get(session)
        if now is before:
            return
        if before is not None:
            _remove(self._ready, before)
            del self._next[session]
        if now is not None:
            insort(self._ready, now, key=_rank)
            self._next[session] = now


def _rank(run: Waiting) -> Rank:
    return run.rank


def _place(run: Waiting) -> tuple[bool, int]:
    return not run.jumps, run.number


def _remove(runs: list[Waiting], run: Waiting) -> None:
    del runs[bisect_left(runs, run.rank, key=_rank)]  # ranks are distinct
