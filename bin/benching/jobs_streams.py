"""Jobs of events at a rate: how late they come to their clients, and what CPU that costs.

An agent puts the time into each event that it emits, so a delay is from its hand to the client's, all hops
included. Of several events that come together the oldest counts.
"""

import re
import select
import time

from .connection import LAST_CHUNK, READ_BYTES, Connection, Refused, SeamCounter
from .job import Job, Result, Spent
from .jobs_events import DELTA
from .runs import start

_MADE_AT = re.compile(rb'"delta":"(\d{10}\.\d{9})"')
_BREATH_S = 0.05  # after looking into /proc, which keeps the client from reading
_SLACK_S = 3.0  # in which all clients connect, and the events are over after the measuring


class Reader:
    """One client of one run's stream."""

    def __init__(self, address: tuple[str, int], run_id: str) -> None:
        self._connection = Connection(address)
        self._connection.send(b"GET", f"/v1/runs/{run_id}/events")
        _, first = self._connection.begin_stream()
        self._connection.socket.setblocking(False)
        self._deltas = SeamCounter(DELTA)
        self._deltas.feed(first)
        self._tail = first[-len(LAST_CHUNK) :]

    @property
    def fd(self) -> int:
        """To wait for."""
        return self._connection.socket.fileno()

    @property
    def deltas(self) -> int:
        """How many have come."""
        return self._deltas.count

    def read(self) -> tuple[bool, float | None]:
        """Whether there will be more, and the delay in ms of the oldest event that came now."""
        part = self._connection.socket.recv(READ_BYTES)
        now = time.time()
        self._deltas.feed(part)
        made = _MADE_AT.search(part)
        self._tail = (self._tail + part)[-len(LAST_CHUNK) :]
        more = bool(part) and self._tail != LAST_CHUNK
        return more, None if made is None else (now - float(made[1])) * 1000

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def streams(job: Job) -> Result:
    """`runs` runs of `per_s` events a second, each to `clients` clients; measured for `window_s` seconds."""
    seconds = job.sizes["warm_s"] + job.sizes["window_s"] + _SLACK_S
    connection = Connection(job.address)
    text = f"rate {job.sizes['per_s']} {seconds}"
    run_ids = [start(connection, "bench", text) for _ in range(job.number("runs"))]
    readers = [Reader(job.address, run_id) for run_id in run_ids for _ in range(job.number("clients"))]
    window = _Window(job)
    _read_all(readers, window)
    expected = int(job.sizes["per_s"] * seconds)
    wrong = [reader.deltas for reader in readers if reader.deltas != expected]
    if wrong:
        raise Refused(
            f"{len(wrong)} of {len(readers)} clients got not {expected} events but, say, {wrong[0]}"
        )
    return window.result()


class _Window:
    """The time in which delays and CPU count."""

    def __init__(self, job: Job) -> None:
        self._spent = Spent(job.root)
        self._begins = time.monotonic() + job.sizes["warm_s"]
        self._ends = self._begins + job.sizes["window_s"]
        self._opened_at: float | None = None
        self._closed = False
        self._delays_ms: list[float] = []

    def look(self) -> None:
        """Open or close it, if it is time to."""
        now = time.monotonic()
        if self._opened_at is None and now >= self._begins:
            self._spent.__enter__()
            self._opened_at = time.monotonic() + _BREATH_S
        elif not self._closed and now >= self._ends:
            self._closed = True
            self._spent.__exit__()

    def note(self, delay_ms: float) -> None:
        """A delay, if it counts."""
        if self._opened_at is not None and not self._closed and time.monotonic() >= self._opened_at:
            self._delays_ms.append(delay_ms)

    def result(self) -> Result:
        """Delays, and CPU by role in cores."""
        if not self._closed or not self._delays_ms:
            raise Refused("the streams ended before the measuring did")
        return {"delay_ms": self._delays_ms} | self._spent.per_unit("cores", self._spent.wall_s, 1.0)


def _read_all(readers: list[Reader], window: _Window) -> None:
    poll = select.epoll()
    open_: dict[int, Reader] = {reader.fd: reader for reader in readers}
    for fd in open_:
        poll.register(fd, select.EPOLLIN)
    while open_:
        window.look()
        for fd, _ in poll.poll(0.1):
            more, delay_ms = open_[fd].read()
            if delay_ms is not None:
                window.note(delay_ms)
            if not more:
                poll.unregister(fd)
                open_.pop(fd).close()
    poll.close()
