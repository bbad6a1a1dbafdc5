"""User ids that nobody else on this machine has, one for each live run. Pure: numbers only.

What owns nothing and shares its id with nobody can neither touch what belongs to others nor be touched by other runs,
whatever the other walls do.
"""

import errno
from collections.abc import Iterable

from ...config.sections import Settings

try:  # as `random` does: `hashlib` brings OpenSSL, which each fork of a zygote would map
    from _sha256 import sha256  # type: ignore[import-not-found]  # no stubs; gone with 3.12
except ImportError:
    from hashlib import sha256

# systemd's UIDS-GIDS: from here on to 2147352575 ids are nobody's, on any distribution.
_FIRST_OF_NOBODYS, _BLOCK, _BLOCKS = 1_879_048_192, 4096, 65_000


def range_of(settings: Settings, state_dir: str) -> tuple[int, int]:
    """First and last id: as it is set, else of a block that this state folder picks, so that servers don't share.

    The first is that of all proxies, the others are for runs.
    """
    if settings.containment.uid_pool:
        first, _, last = settings.containment.uid_pool.partition("-")
        return int(first), int(last)
    pick = int.from_bytes(sha256(state_dir.encode()).digest()[:8], "big") % _BLOCKS
    first_id = _FIRST_OF_NOBODYS + pick * _BLOCK
    return first_id, first_id + max(_BLOCK, settings.runs.max_live + 1) - 1


class UidPool:
    """Ids in use and free. The lowest free one is taken."""

    def __init__(self, first: int, last: int) -> None:
        self._all = range(first, last + 1)
        self._used: set[int] = set()
        self._next = first  # all below are in use

    def take(self, before: int = 0) -> int:
        """An id that no live run has; the one before, if that was not given back since. Raises OSError (EAGAIN)."""
        if before in self._used:
            return before
        for uid in range(self._next, self._all.stop):
            if uid not in self._used:
                self._used.add(uid)
                self._next = uid + 1
                return uid
        raise OSError(errno.EAGAIN, "every id of containment.uid_pool is in use")

    @property
    def free(self) -> frozenset[int]:
        """Those that no live run has."""
        return frozenset(self._all) - self._used

    def give_back(self, uid: int) -> None:
        """Nothing of the run that had it is left. Harmless for one that is not in use."""
        if uid in self._used:
            self._used.remove(uid)
            self._next = min(self._next, uid)

    def take_over(self, uids: Iterable[int]) -> None:
        """These are in use by runs that another supervisor began."""
        self._used.update(uid for uid in uids if uid in self._all)
