"""Some events of one run in memory, the newest or those that were read last, for everyone who follows it here."""

from collections import deque
from collections.abc import Iterable

from .frames import Slice


class Tail:
    """A bounded run of slices without a gap between them; the oldest go first."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._slices: deque[Slice] = deque()
        self._bytes = 0

    @property
    def size(self) -> int:
        """What it holds, as lines; the frames that were made of them come on top."""
        return self._bytes

    def keep(self, news: Slice) -> None:
        """Add what comes next."""
        self._slices.append(news)
        self._bytes += len(news.lines)
        while self._bytes > self._max_bytes:
            self._bytes -= len(self._slices.popleft().lines)

    def fill(self, first: Slice, others: Iterable[Slice]) -> None:
        """Hold these, as many as there is room for; the newest are left out."""
        self.keep(first)
        for news in others:
            if self._bytes + len(news.lines) > self._max_bytes:
                return
            self.keep(news)

    def clear(self) -> None:
        """Forget all: what comes next does not follow on what is here."""
        self._slices.clear()
        self._bytes = 0

    def after(self, seq: int, max_bytes: int) -> Slice | None:
        """About `max_bytes` of events after `seq`; None unless the first of them is here."""
        if not self._slices or not self._slices[0].first <= seq + 1 <= self._slices[-1].last:
            return None
        wanted: list[Slice] = []
        size = 0
        for part in self._slices:
            if part.last > seq and size < max_bytes:
                wanted.append(part.after(seq))
                size += len(part.lines)
        return merged(wanted)


def merged(parts: list[Slice]) -> Slice:
    """Slices that follow one another, as one."""
    if len(parts) == 1:
        return parts[0]
    first, last = parts[0], parts[-1]
    return Slice(first.run_id, first.first, last.last, b"".join([part.lines for part in parts]), last.ended)
