"""A run's log: a file for each stream in the state folder, of bounded size, that can be read while it grows.

The supervisor opens the files and removes them, the run's warden alone writes, facades read. What came first is
kept and what came last: a log that stayed within its bound is plain text. One that went over it holds a head, which
is never written again, a ring with the newest bytes, and a trailer that says how far the ring is. The trailer is
written before and after each write to the ring, so a reader knows which bytes are whole.

Positions are those of the stream: byte 0 is the first that the agent ever wrote to it.
"""

import contextlib
import os
import re
import struct
from typing import NamedTuple

STREAMS = ("stdout", "stderr")
BLOCK_BYTES = 65_536

_ID = re.compile(r"[A-Za-z0-9_-]+\Z")
_MAGIC = b"\0runward log ring"
_TRAILER = struct.Struct("<17sQQQQ")  # magic, head, ring, begun, done
_MOST_EVER = 1 << 62  # bytes; an agent can write what looks like a trailer, and lie about its own log only


# ── the files ───────────────────────────────────────────────────────────────────────────────────


def prepare(state_dir: str) -> None:
    """Make the folder (0700). Raises OSError."""
    os.makedirs(f"{state_dir}/logs", mode=0o700, exist_ok=True)


def path(state_dir: str, run_id: str, stream: str) -> str:
    """Of one stream's file. ValueError for an id that no run has, since it would be a path elsewhere."""
    if not _ID.match(run_id):
        raise ValueError(f"not a run's id: {run_id[:64]!r}")
    return f"{state_dir}/logs/{run_id}.{stream}"


def open_all(state_dir: str, run_id: str) -> list[int]:
    """Descriptors for the run's warden, in the order of `STREAMS`, to be closed by the caller. Raises OSError."""
    descriptors: list[int] = []
    try:
        for stream in STREAMS:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptors.append(os.open(path(state_dir, run_id, stream), flags, 0o600))
    except OSError:
        for descriptor in descriptors:
            os.close(descriptor)
        raise
    return descriptors


def open_one(state_dir: str, run_id: str, stream: str) -> int | None:
    """A descriptor to read by; None if there is no such file: it has not begun, or nothing was written."""
    try:
        return os.open(path(state_dir, run_id, stream), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None


def close(fd: int) -> None:
    """Of a descriptor that `open_one` gave."""
    os.close(fd)


def remove_empty(state_dir: str, run_id: str) -> None:
    """The run ended: a file in which nothing is stays no longer. A few µs, and a later one takes its place."""
    for stream in STREAMS:
        with contextlib.suppress(OSError):
            name = path(state_dir, run_id, stream)
            if os.stat(name).st_size == 0:
                os.unlink(name)


def remove(state_dir: str, run_id: str) -> None:
    """Forget the run's log. For the supervisor, when the run itself is deleted; harmless if there is none."""
    for stream in STREAMS:
        with contextlib.suppress(OSError):
            os.unlink(path(state_dir, run_id, stream))


# ── what is in one ──────────────────────────────────────────────────────────────────────────────


class Layout(NamedTuple):
    """How a file holds its stream: what is before `done` is written, what the ring held before `oldest` is gone."""

    head: int
    ring: int
    begun: int
    done: int

    @property
    def oldest(self) -> int:
        """The first byte after the head that is still there."""
        return max(self.head, self.begun - self.ring)

    def offset(self, position: int) -> int:
        """Where in the file this byte of the stream is."""
        return position if position < self.head else self.head + (position - self.head) % self.ring

    def together(self, position: int) -> int:
        """How many bytes from this one on are side by side in the file."""
        end = self.head if position < self.head else self.head + self.ring
        return end - self.offset(position)


def layout(fd: int, max_bytes: int = 0) -> Layout:
    """Of this file as it is now; if it is plain text still, as one that may grow to `max_bytes`."""
    size = os.fstat(fd).st_size
    trailer = os.pread(fd, _TRAILER.size, size - _TRAILER.size) if size > _TRAILER.size else b""
    if trailer.startswith(_MAGIC):
        _, head, ring, begun, done = _TRAILER.unpack(trailer)
        if ring and head + ring + _TRAILER.size == size and done < _MOST_EVER:
            return Layout(head, ring, begun, min(begun, done))
    bound = max(size, max_bytes)
    return Layout(bound // 2, bound - bound // 2, size, size)


class Log:
    """The warden's hand on one stream's file. `add` never raises: what can't be written is not kept."""

    def __init__(self, fd: int, max_bytes: int) -> None:
        self._fd = fd
        self._max_bytes = max_bytes
        self._layout: Layout | None = None

    def add(self, text: bytes) -> None:
        """Keep what the agent wrote."""
        try:
            where = self._layout or layout(self._fd, self._max_bytes)
            end = where.done + len(text)
            self._layout = self._put(text, where._replace(begun=end), end > where.head + where.ring)
        except OSError:  # no room on the disk: the next write tries again, after what was whole
            return

    def _put(self, text: bytes, where: Layout, ringed: bool) -> Layout:
        """Write it from `done` to `begun`; of what does not fit at once, the end."""
        start = max(where.done, where.begun - where.ring) if ringed else where.done
        done = where._replace(done=where.begun)
        if ringed:
            self._put_trailer(where)
        if (
            where.done < where.head and start > where.head
        ):  # more than both hold: the head gets its part all the same
            self._write(text[: where.head - where.done], where, where.done)
        self._write(text[start - where.done :], where, start)
        if ringed:
            self._put_trailer(done)
        return done

    def _write(self, text: bytes, where: Layout, position: int) -> None:
        view = memoryview(text)
        while view:
            written = os.pwrite(self._fd, view[: where.together(position)], where.offset(position))
            view, position = view[written:], position + written

    def _put_trailer(self, where: Layout) -> None:
        os.pwrite(self._fd, _TRAILER.pack(_MAGIC, *where), where.head + where.ring)


class Piece(NamedTuple):
    """Some bytes of a stream, from `start` on; later than asked where what was asked for is gone."""

    start: int
    text: bytes


def read(fd: int, position: int, most: int = BLOCK_BYTES) -> Piece:
    """What there is from `position` on, at most so much; no bytes at the end of what is written."""
    where = layout(fd)
    start = position if position < where.head else max(position, where.oldest)
    size = min(most, where.done - start)
    if size <= 0:
        return Piece(position, b"")
    size = min(size, where.together(start))
    text = os.pread(fd, size, where.offset(start))
    now = layout(fd)  # what was overwritten meanwhile is left out
    if start < now.head:
        return Piece(start, text[: now.head - start])
    lost = min(len(text), max(0, now.oldest - start))
    return Piece(start + lost, text[lost:])


def tail_start(fd: int, lines: int) -> int:
    """Where the last so many lines begin; 0 if there are no more than that. Reads backwards, a block at a time."""
    where = layout(fd)
    end = where.done
    while lines and end > 0:
        start = _block_before(where, end)
        block = os.pread(fd, end - start, where.offset(start))
        cut = len(block) - (end == where.done and block.endswith(b"\n"))  # the last line's own end
        while lines and (cut := block.rfind(b"\n", 0, cut)) >= 0:
            lines -= 1
            if not lines:
                return start + cut + 1
        end = start
        if (
            start == where.oldest > where.head
        ):  # before it, bytes were dropped: it begins in the middle of a line
            lines, end = lines - 1, where.head if lines > 1 else start
    return end


def _block_before(where: Layout, end: int) -> int:
    """Where a block begins that ends before byte `end` and is in one piece."""
    if end <= where.head:
        return max(0, end - BLOCK_BYTES)
    seam = end - ((end - where.head - 1) % where.ring + 1)
    return max(where.oldest, seam, end - BLOCK_BYTES)
