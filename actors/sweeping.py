"""Asking root to end what came to it: processes that lost a warden or a zygote which would have ended them.

Root is the subreaper of everything below. Whatever is its child, and neither one of its roles nor a warden that is
known here, belongs to no run any more, or to one that is only waiting to be told so.
"""

from collections import deque
from collections.abc import Callable

from .register import Register

#: Called with the pids that outlived the sweep, normally none.
Swept = Callable[[list[int]], None]


class Sweeping:
    """What waits for root, in order: each sweep covers whatever had come to root when it was asked for."""

    def __init__(self, register: Register, ask: Callable[[list[int]], None]) -> None:
        """`ask` sends root the pids that it must keep."""
        self._register = register
        self._ask = ask
        self._waiting: deque[Swept] = deque()

    def sweep(self, swept: Swept) -> None:
        """End what belongs to nobody, then call back."""
        self._waiting.append(swept)
        wardens = (run.warden for run in self._register.all())
        self._ask([warden.pid for warden in wardens if warden is not None])

    def swept(self, survivors: list[int]) -> None:
        """Root has answered."""
        self._waiting.popleft()(survivors)
