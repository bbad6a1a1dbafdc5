"""What a warden has said and the journal may not have: the batches in flight, kept to be said again.

Their number is the run's credit. With no supervisor there nobody acknowledges, so it is also the bound of what a
warden keeps through an outage; then it leaves the agent's socket alone, and the agent's emit blocks.
"""

from collections import deque


class Unacked:
    """Batches by the number of their last event, oldest first."""

    def __init__(self, batches_in_flight: int) -> None:
        self._most = batches_in_flight
        self._batches: deque[tuple[int, bytes]] = deque()
        self.last_n = 0  # of all that were ever added

    @property
    def full(self) -> bool:
        """Whether all credit is used."""
        return len(self._batches) >= self._most

    def add(self, count: int, body: bytes) -> None:
        """The message `body` carries the next `count` events."""
        self.last_n += count
        self._batches.append((self.last_n, body))

    def acked(self, n: int) -> None:
        """Events up to `n` are in the journal."""
        while self._batches and self._batches[0][0] <= n:
            self._batches.popleft()

    def bodies(self) -> list[bytes]:
        """What is to be said again to who has not heard it."""
        return [body for _, body in self._batches]
