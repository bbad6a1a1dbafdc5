"""Fills the gaps in the zygote's memory, so that what a run makes lies together.

An allocator hands out again what was freed, wherever that lies. After imports there are gaps on hundreds of pages; a
process that was just forked would copy a page, 4 µs, for nearly everything small that it makes. With the gaps taken
it makes all of that on few pages, one thing beside the other: 80 copies a run less, a third of a MiB (measured).
"""

from collections.abc import Callable
from functools import partial

_POOL_BYTES, _POOL_HEADER_BYTES = 16_384, 48  # of CPython's obmalloc, which makes what is small
_BARE_BYTES = b"".__sizeof__()
_MAKERS: tuple[Callable[[], object], ...] = (
    *(partial(bytes, size - _BARE_BYTES) for size in range(48, 513, 16)),
    object,  # 16 bytes
    partial(float, "0.5"),  # 24
)
_LARGE = tuple((1 << power) - _BARE_BYTES for power in range(16, 9, -1))  # malloc makes these
_HEAP_END = 100_000  # no gap is as long; from 128 KiB on malloc maps memory apart
_TRIES = range(4_096)  # of a size, should an allocator work in another way


def fill_gaps() -> list[object]:
    """What fills them: to be kept for as long as there are forks. Takes some ms and less than a MiB.

    Called by the zygote after its last collection of garbage, which also empties the lists of free objects. Plain
    loops: what is made and dropped on the way is a gap again.
    """
    filling: list[object] = [None] * 2
    for make in _MAKERS:
        for _ in _TRIES:
            filling.append(make())
            if _is_new_pool(filling):
                break
    heap_end = bytes(_HEAP_END)
    filling.append(heap_end)
    for length in _LARGE:
        for _ in _TRIES:
            filling.append(bytes(length))
            if id(filling[-1]) > id(heap_end):
                break
    return filling


def _is_new_pool(made: list[object]) -> bool:
    """Whether the last three begin a pool, side by side: of their size there was no gap left."""
    first, second, third = id(made[-3]), id(made[-2]), id(made[-1])
    return first % _POOL_BYTES == _POOL_HEADER_BYTES and first < second and second - first == third - second
