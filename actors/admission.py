"""Which waiting runs may start, and what a start does to the others of its session. Pure: no clock, no I/O.

1. A slot is free when a run's end is proved, never earlier, and no cap is ever passed. Of a run's children one uses
   the slot of that run, so that nobody who holds one waits for another (decision 0027).
2. Whoever waits for a cap of his own (his agent's, his key's) holds up nobody else; a slot that one of those who
   wait may have is given at once.
3. Who may start does so in the order of ranks. A step of priority is a head start of some seconds, so no stream of
   newcomers keeps anybody waiting for ever.
4. Of one session, runs go one behind the other (`run_queue.py`).
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

OnConflict = Literal["queue", "reject", "interrupt", "parallel"]
Session = tuple[str, str]  # whose it is, and what he calls it
Rank = tuple[float, int]  # Unix seconds, less the head start; then the order in which they came


@dataclass(frozen=True, slots=True)
class Waiting:
    """A run that wants a slot. `session`: the one whose turn it waits for; None: it waits for no turn.

    `owner`: the key in whose cap it counts; "": in none, as a child, whose parent may hold that and wait for it.
    `number` is above that of every run that came before; `jumps`: it has the next turn of its session.
    """

    run_id: str
    agent: str
    owner: str
    rank: Rank
    number: int
    session: Session | None = None
    jumps: bool = False


@dataclass(frozen=True, slots=True)
class Caps:
    """How many runs may hold a slot at once: in all, of an agent, of a key's owner. 0 is no bound, but in all."""

    max_live: int
    of_agent: Mapping[str, int] = field(default_factory=dict)
    of_owner: Mapping[str, int] = field(default_factory=dict)
    per_owner: int = 0  # of each that `of_owner` does not name


@dataclass(slots=True)
class Live:
    """How many hold a slot; `total` without those that use their parents'."""

    agents: dict[str, int] = field(default_factory=dict)
    owners: dict[str, int] = field(default_factory=dict)
    total: int = 0

    def add(self, agent: str, owner: str, runs: int = 1) -> None:
        """So many more; -1 for one whose end is proved."""
        self.agents[agent] = self.agents.get(agent, 0) + runs
        self.owners[owner] = self.owners.get(owner, 0) + runs
        self.total += runs

    def copy(self) -> "Live":
        """That can be changed without changing this."""
        return Live(self.agents.copy(), self.owners.copy(), self.total)


def rank(since: float, number: int, priority: int, step_s: float) -> Rank:
    """Where a run stands that has waited since then (Unix seconds): the lowest rank is first.

    The order of two runs is the same at every moment, so it is known again from the journal alone.
    """
    return since - priority * step_s, number


def may_start(run: Waiting, live: Live, caps: Caps, held_back: Collection[str] = ()) -> bool:
    """Whether there is a slot for this run. `held_back`: agents that get none."""
    return live.total < caps.max_live and has_room_beside_slots(run, live, caps, held_back)


def has_room_beside_slots(run: Waiting, live: Live, caps: Caps, held_back: Collection[str] = ()) -> bool:
    """The same for a run that needs none of the slots, since it uses its parent's."""
    of_agent = caps.of_agent.get(run.agent, 0)
    of_owner = (caps.of_owner.get(run.owner, 0) or caps.per_owner) if run.owner else 0
    return (
        run.agent not in held_back
        and not 0 < of_agent <= live.agents.get(run.agent, 0)
        and not 0 < of_owner <= live.owners.get(run.owner, 0)
    )


def admissible(
    waiting: Iterable[Waiting],
    live: Live,
    caps: Caps,
    held_back: Collection[str] = (),
    most: int | None = None,
) -> list[Waiting]:
    """Those that start now, and hold a slot from here on. `waiting`: by rank, and no two of one session.

    `most`: for how many there is memory; None: it is no matter.
    """
    admitted: list[Waiting] = []
    for run in waiting:
        if live.total >= caps.max_live or (most is not None and len(admitted) >= most):
            break
        if may_start(run, live, caps, held_back):
            live = live if admitted else live.copy()
            live.add(run.agent, run.owner)
            admitted.append(run)
    return admitted


@dataclass(frozen=True, slots=True)
class InSession:
    """The runs of a session that have not ended. `turn`: they have begun, or are begun again after an end."""

    turn: tuple[str, ...] = ()
    waiting: tuple[Waiting, ...] = ()


@dataclass(frozen=True, slots=True)
class Conflict:
    """What a start does in its session: nothing at all if it is refused, else the `stopped` are stopped first."""

    refused: bool = False
    stopped: tuple[str, ...] = ()


def conflict(on_conflict: OnConflict, session: InSession) -> Conflict:
    """Decide it. An interrupt takes the turn from who has it, and from an earlier interrupt that waits for it."""
    match on_conflict:
        case "reject":
            return Conflict(refused=bool(session.turn or session.waiting))
        case "interrupt":
            heirs = tuple(run.run_id for run in session.waiting if run.jumps)
            return Conflict(stopped=session.turn + heirs)
        case "queue" | "parallel":
            return Conflict()


def is_full(
    begins: bool, waiting: int, most: int, of_owner: int, most_of_owner: int
) -> Literal["all", "owner"] | None:
    """Whose queue has no room for a start; None: it is taken. What `begins` at once needs no place in any.

    `waiting` of `most` wait, `of_owner` of `most_of_owner` (0: no bound) of the key's owner.
    """
    if begins:
        return None
    if waiting >= most:
        return "all"
    return "owner" if 0 < most_of_owner <= of_owner else None
