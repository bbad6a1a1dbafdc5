"""Asking root to end what came to it: processes that lost a warden or a zygote which would have ended them.

Root is the subreaper of everything below. Its children are its roles, processes of agents, which belong to no run any
more or to one that only waits to be told so, and wardens whose zygotes died. Root can tell the three apart; whose
wardens they are is known here. So root ends what agents left, and names the wardens; nobody's are then ended, too.
"""

from collections import deque
from collections.abc import Callable

#: Called with the pids that outlived the sweep, normally none.
Swept = Callable[[list[int]], None]


class Sweeping:
    """What waits for root, in order: each sweep covers whatever had come to root when it was asked for."""

    def __init__(self, known: Callable[[], set[int]], ask: Callable[[list[int]], None]) -> None:
        """`known`: the wardens that are somebody's, as of all that was said. `ask` sends root the wardens to end."""
        self._known = known
        self._ask = ask
        self._waiting: deque[Swept] = deque()

    def sweep(self, swept: Swept) -> None:
        """End what belongs to nobody, then call back."""
        self._waiting.append(swept)
        self._ask([])

    def swept(self, survivors: list[int], wardens: list[int]) -> None:
        """Root has answered. Whom a zygote forked it said while it lived, or never: who is unknown is nobody's."""
        swept = self._waiting.popleft()
        if strangers := sorted(set(wardens) - self._known()):
            self._waiting.append(swept)
            self._ask(strangers)
        else:
            swept(survivors)
