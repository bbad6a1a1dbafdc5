"""In root's new code: the supervisor and the facades of the old one are replaced one after the other.

Nothing is handed from one to the next: the journal has it. So the old supervisor is killed once the new one has
loaded all that it needs; and a facade answers for a while who is connected to it, while the new one accepts.
"""

import os
from collections.abc import Callable

from .actor import Actor
from .cast import SUPERVISOR_MAIN, Cast
from .kept import Kept
from .messages.with_root import ShutDown

COME_S = 30.0  # a new one is up by then, or something is wrong
LEAVE_S = 5.0  # an old one is gone by then
LAST_ANSWERS_S = 1.0  # for so long a facade answers who is connected to it


class Replacing:
    """One restart, from the first moment of the new code to its conclusion: None, or why not all were replaced."""

    def __init__(
        self,
        actor: Actor,
        cast: Cast,
        start: Callable[[Kept], None],
        conclude: Callable[[str | None], None],
    ) -> None:
        self._actor = actor
        self._cast = cast
        self._start = start
        self._conclude = conclude
        self._failure: str | None = None

    def begin(self) -> None:
        """Those of the old code play still: bring a new supervisor up beside them, and more once it plays."""
        predecessor_fd = os.pidfd_open(self._cast.supervisor.pid)
        coming = self._cast.new_supervisor(predecessor_fd)
        self._cast.coming = [coming, *self._cast.new_facades()]
        self._start(coming)
        os.close(predecessor_fd)
        coming.make = self._cast.new_supervisor().make  # should it be started again, none is before it
        self._actor.after(COME_S, self._lose_patience)

    def stands_by(self, role: Kept) -> None:
        """It has all loaded. The old one has nothing to hand on: what it knew is in the journal."""
        if role in self._cast.coming:
            old = self._cast.supervisor
            self._take_the_part(role)
            self._cast.leaving.append(old)
            old.kill()

    def comes_already(self, role: Kept) -> bool:
        """Whether who is to replace this one, which fell over, is on its way; it has the part then."""
        for coming in self._cast.coming[:1]:
            if coming.main == role.main == SUPERVISOR_MAIN:
                self._take_the_part(coming)
                return True
        return False

    def came_up(self, facade: Kept) -> None:
        """A new facade accepts from the same socket as the one whose number it has."""
        cast = self._cast
        cast.coming.remove(facade)
        old = next((each for each in cast.facades if each.name == facade.name), None)
        if old is None:
            cast.facades.append(facade)
        else:
            cast.facades[cast.facades.index(old)] = facade
            self._let_go(old)
        self._see_whether_done()

    def fell_over(self, role: Kept) -> None:
        """Who was to come will not. Who is there goes on."""
        self._cast.coming.remove(role)
        self._failure = f"the new {role.name} did not come up; see the server's log"
        if role.main == SUPERVISOR_MAIN:
            self._cast.coming.clear()
        self._see_whether_done()

    def break_off(self) -> None:
        """The server ends: nobody is replaced any more."""
        for role in self._cast.coming:
            if role.pid:
                role.kill()
                self._cast.leaving.append(role)
        self._cast.coming.clear()

    def _take_the_part(self, coming: Kept) -> None:
        self._cast.coming.remove(coming)
        self._cast.supervisor = coming

    def _let_go(self, facade: Kept) -> None:
        self._cast.leaving.append(facade)
        facade.tell(ShutDown(LAST_ANSWERS_S))
        self._actor.after(LAST_ANSWERS_S + LEAVE_S, facade.kill)

    def _see_whether_done(self) -> None:
        if self._cast.coming:
            return
        if self._failure is None:
            wanted = {facade.name for facade in self._cast.new_facades()}
            for facade in [facade for facade in self._cast.facades if facade.name not in wanted]:
                self._cast.facades.remove(facade)
                self._let_go(facade)
        self._conclude(self._failure)

    def _lose_patience(self) -> None:
        for role in tuple(self._cast.coming):
            if role.pid:
                role.kill()
            else:
                self.fell_over(role)
