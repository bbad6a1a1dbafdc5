"""In root's old code: on demand the new code is rehearsed, and if it is any good, executed in root's place."""

import os
from typing import Protocol

from . import estate
from .actor import Actor
from .cast import Cast
from .estate import Estate
from .succession import Again, Rehearsal, become

REHEARSAL_S = 30.0
LOOK_AGAIN_S = 0.1
EMBEDDED = "a server that another process embeds ends with it, and is not restarted"


class House(Protocol):
    """What this needs of root."""

    def is_steady(self) -> bool:
        """Whether the server serves, does not end, and nobody is being replaced."""

    def estate_now(self) -> Estate:
        """What the new code has to know."""

    def conclude_restart(self, refused: str | None) -> None:
        """Tell what came of it."""


class Renewing:
    """From the demand to execve(2), or to the reason why not. `again` None: it can't be done."""

    def __init__(self, house: House, actor: Actor, cast: Cast, again: Again | None) -> None:
        self._house = house
        self._actor = actor
        self._cast = cast
        self._again = again
        self._rehearsal: Rehearsal | None = None

    @property
    def pid(self) -> int:
        """Of the rehearsal; 0 if there is none."""
        return 0 if self._rehearsal is None else self._rehearsal.pid

    def wanted(self) -> None:
        """Somebody wants the code and the settings of now: first see whether they are any good."""
        if not self._house.is_steady() or self._rehearsal is not None:
            return  # it ends, or one restart is under way
        if self._again is None:
            self._house.conclude_restart(EMBEDDED)
            return
        memory = estate.write(self._house.estate_now())
        try:
            rehearsal = self._rehearsal = Rehearsal(self._again(memory, True))
        except OSError as error:
            self._house.conclude_restart(f"the new code can't be started: {error.strerror}")
            return
        self._actor.after(REHEARSAL_S, lambda: self.break_off(rehearsal))

    def break_off(self, rehearsal: Rehearsal | None = None) -> None:
        """End the rehearsal, if there is one; this one, if one is given."""
        if self._rehearsal is not None and rehearsal in (None, self._rehearsal):
            self._rehearsal.kill()

    def rehearsed(self, status: int) -> None:
        """The rehearsal was reaped."""
        assert self._rehearsal is not None
        said, self._rehearsal = self._rehearsal.end(), None
        if status == 0:
            self._become()
        else:
            why = said.rpartition("\n")[2] or f"its rehearsal ended with {os.waitstatus_to_exitcode(status)}"
            self._house.conclude_restart(f"the new code does not come up: {why}")

    def _become(self) -> None:
        """Execute the new code here. Returns if that fails, or if it has to wait."""
        if not self._house.is_steady():
            return
        if not self._cast.is_ready:  # one of them is just being started again
            self._actor.after(LOOK_AGAIN_S, self._become)
            return
        assert self._again is not None
        now = self._house.estate_now()
        try:
            become(self._again(estate.write(now), False), estate.descriptors(now))
        except OSError as error:
            self._house.conclude_restart(f"the new code can't be executed: {error.strerror}")
