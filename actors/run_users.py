"""A user of its own for each live run, where root serves: taken for all attempts of a run, free again after its end.

Whom somebody still lives under is nobody's to take. That matters at the start of a supervisor: what outlived its kill
is of a run that has ended, so no record says whose that user is.
"""

from collections.abc import Iterable

from .actor import Actor
from .containment.uids import UidPool
from .containment.users import kill_users, lived_in

LOOK_AGAIN_S = 5.0


class RunUsers:
    """The users of one server's runs. Nothing here blocks, but for a look at all of /proc at the start, some ms."""

    def __init__(self, actor: Actor, first_uid: int, last_uid: int) -> None:
        self._actor = actor
        self._pool = UidPool(first_uid, last_uid)

    def take(self, before: int = 0) -> int:
        """One that no live run has; the one before, if that was not given back since. Raises OSError (EAGAIN)."""
        return self._pool.take(before)

    def give_back(self, uid: int) -> None:
        """Nothing of the run that had it is left."""
        self._pool.give_back(uid)

    def take_over(self, live: Iterable[int], by_user: bool) -> None:
        """These are of runs that another supervisor began. `by_user`: kill whoever else lives under one of ours."""
        self._pool.take_over(live)
        if by_user:
            kill_users(self._pool.free)
        self._shun(lived_in(self._pool.free))

    def _shun(self, uids: set[int]) -> None:
        if uids:
            self._pool.take_over(uids)
            self._actor.after(LOOK_AGAIN_S, lambda: self._look_again(uids))

    def _look_again(self, uids: set[int]) -> None:
        """A spare of the earlier supervisor dies a moment after it; what the kernel can't end may live for ever."""
        for uid in uids:
            self._pool.give_back(uid)
        self._shun(lived_in(uids))
