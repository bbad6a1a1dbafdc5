"""What was found out about this machine: each mechanism that was tried, and what holds a run in the end. Data only.

Root finds it (`probe.py`) and hands it on: the supervisor acts on it, facades and `runward doctor` show it.
"""

import msgspec


class Tried(msgspec.Struct, frozen=True):
    """One mechanism, tried for real in a throw-away process. `errno` 0: it works here, with this `detail`.

    Else `detail` says at which step the kernel said no.
    """

    errno: int = 0
    took_ms: float = 0.0
    detail: str = ""

    @property
    def works(self) -> bool:
        """Whether it can be had here."""
        return self.errno == 0


class Place(msgspec.Struct, frozen=True):
    """Where a run's leaf can be made in one hierarchy of cgroups: in `folder`, beside our own processes.

    `controllers`: those of memory, pids and cpu that hold a leaf there. Version 2 kills, too.
    """

    version: int
    folder: str
    controllers: tuple[str, ...] = ()


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What holds a run here. `missing` names each better rung with the kernel's answer to it."""

    rung: str  # a name in `rungs.RUNGS`
    lower: str = (
        ""  # that of an agent which can't have the walls that the rung needs; "": it has no runs then
    )
    user_namespace: bool = False  # whether the pid namespace needs one
    missing: tuple[str, ...] = ()
    tried: dict[str, Tried] = {}  # mechanism → what came of it; the names are those of `trials.TRIALS`
    places: tuple[Place, ...] = ()
    surroundings: dict[str, str] = {}  # what explains a refusal
    walls: dict[str, Tried] = {}  # each wall of `walls.WALLS` that settings do not leave out

    @property
    def walls_held(self) -> tuple[str, ...]:
        """The walls that every run gets."""
        return tuple(name for name, tried in self.walls.items() if tried.works)

    def works(self, mechanism: str) -> bool:
        """Whether it was tried and can be had."""
        tried = self.tried.get(mechanism)
        return tried is not None and tried.works
