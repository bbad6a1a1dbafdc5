"""The supervisor's side of a run's credit: batches that it took and has not acknowledged yet.

Where the journal's disk is short of room nothing is acknowledged, so the run waits; but a run that is being stopped
has a little to spare on each rung, so that its last events and its warden's last word come through.
"""

from collections.abc import Callable
from functools import partial

from .room import Room

Give = Callable[[], object]

TO_OBEY = 4  # acknowledgements for a run that was asked to end,
TO_DIE = 16  # and for one that is made to: what its agent's pipe may hold takes half of these


class Credit:
    """Of one run. `give` acknowledges all that was taken, with the commit.

    It is the run's and not kept here: a run that its credit led back to would stay until garbage is collected.
    """

    def __init__(self, batches_in_flight: int, room: Room) -> None:
        self._most = batches_in_flight
        self._room = room
        self._taken = 0
        self._spared = 0
        self._waits = False

    @property
    def is_left(self) -> bool:
        """Whether the warden may send another batch."""
        return self._taken < self._most

    def take(self, give: Give) -> None:
        """A batch came."""
        self._taken += 1
        # Not for every batch: an acknowledgement wakes the warden, and half its credit is enough to go on with.
        if self._taken == max(1, self._most // 2):
            self._give_if_there_is_room(give)

    def given(self) -> None:
        """All that came is acknowledged."""
        self._taken = 0

    def spare(self, times: int, give: Give) -> None:
        """Acknowledge so often more, room or not: the run is on its way out."""
        self._spared += times
        if self._waits:
            self._give_if_there_is_room(give)

    def _give_if_there_is_room(self, give: Give) -> None:
        if not self._room.is_short() or self._spare():
            give()
        elif not self._waits:
            self._waits = True
            self._room.wait(partial(self._go_on, give))

    def _spare(self) -> bool:
        if self._spared == 0:
            return False
        self._spared -= 1
        return True

    def _go_on(self, give: Give) -> None:
        self._waits = False
        give()
