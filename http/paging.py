"""Pages of one run's events from the journal, for a client that is behind what its feed has in memory."""

from ..actors.journal.reader import Batch, Reader
from . import frames
from .frames import Slice


class Gap(Slice):
    """Events that no journal holds: its one frame says so, and its `id` lets a client go on behind it."""

    __slots__ = ()

    def __init__(self, run_id: str, first: int, last: int, ended: bool = False) -> None:
        super().__init__(run_id, first, last, b"", ended)
        self._frames = frames.gap(run_id, first, last)


def page(journal: Reader, run_id: str, key: int, after: int, max_bytes: int) -> Slice | None:
    """The events that come after `after`, about `max_bytes` of them; None if there are none. Blocks."""
    batches = journal.batches(key, after, max_bytes)
    if not batches:
        return None
    if batches[0].first > after + 1:
        return Gap(run_id, after + 1, batches[0].first - 1)
    first, last, lines = _joined(batches)
    return Slice(run_id, first, last, lines, frames.ends_run(lines)).after(after)


def _joined(batches: list[Batch]) -> Batch:
    """The batches up to the first gap, as one."""
    end = 1
    while end < len(batches) and batches[end].first == batches[end - 1].last + 1:
        end += 1
    return Batch(batches[0].first, batches[end - 1].last, b"".join([batch.data for batch in batches[:end]]))
