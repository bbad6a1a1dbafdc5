"""`runward.run`: one callable, one input, one confined process, one result; through a server that is embedded."""

import atexit
import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from ..http.api_client import RunHandle
from ..http.api_errors import ClientError, WaitTimeout
from ..http.api_results import RunTimedOut, output_of
from ..http.api_types import Event, Input, RunInfo
from .callables import packed
from .embedded_server import Server
from .records import Status

AGENT = "callable"
MOST_SERVERS = 4  # kept for the next call; one more closes the one that was idle longest
GRACE_S = 1.0  # for a run whose caller no longer waits
END_S = 10.0

OnEvent = Callable[[Event], object]


def run(
    callable: Callable[..., Any],
    input: Input,
    *,
    timeout_s: float | None = None,
    limits: Mapping[str, float] | None = None,
    on_event: OnEvent | None = None,
) -> Any:
    """Run `callable(input)`, or `callable(input, run)`, in a confined process of its own and return its output.

    The callable may be defined anywhere, a lambda or a notebook's cell included, and be any kind of function agent.
    What it returns must be JSON. `limits` as in `[limits]`; each event is given to `on_event`, in this thread.
    Blocks. Any thread may call it. The first call for a callable starts a server: a second, then it is kept.

    Raises RunFailed or RunCancelled, with reason and receipt; RunTimedOut when `timeout_s` is over, which ends the
    run; NotShippable for a callable that can't be sent. An exception here, ctrl-C too, ends the run and goes on.
    """
    with _servers().one_for(callable) as server:
        handle = server.client.start(input, AGENT, limits=dict(limits) if limits else None)
        try:
            ended = _seen_through(handle, timeout_s, on_event)
        except WaitTimeout as error:
            ended = handle.stop(grace_s=GRACE_S, wait=True, timeout_s=END_S)
            if ended.status is Status.CANCELLED:
                raise RunTimedOut(ended) from error
        except BaseException:
            with suppress(ClientError):
                handle.stop(grace_s=GRACE_S, wait=True, timeout_s=END_S)
            raise
    return output_of(ended)


def _seen_through(handle: RunHandle, timeout_s: float | None, on_event: OnEvent | None) -> RunInfo:
    with handle.stream(timeout_s=timeout_s) as stream:
        for event in stream:
            if on_event is not None:
                on_event(event)
    return handle.get()


@dataclass
class _Kept:
    """A server, or the promise of one: `lock` is held while it starts."""

    server: Server
    lock: threading.Lock
    users: int = 0


class Servers:
    """One embedded server for each callable, by the hash of its bytes; the last few stay for the next call."""

    def __init__(self, most: int = MOST_SERVERS) -> None:
        self._most = most
        self._kept: dict[str, _Kept] = {}  # the one that was used last is last
        self._lock = threading.Lock()

    @contextmanager
    def one_for(self, callable: Callable[..., Any]) -> Iterator[Server]:
        """A server that runs and declares this callable as AGENT; it is not closed inside the block."""
        parcel = packed(callable)
        name = hashlib.sha256(parcel).hexdigest()
        kept, idle = self._take(name, parcel)
        try:
            for server in idle:
                server.stop(at_once=True)
            with kept.lock:
                if not kept.server.alive:
                    kept.server.stop(at_once=True)
                    kept.server.start()
            yield kept.server
        finally:
            with self._lock:
                kept.users -= 1

    def close(self) -> None:
        """End them all, and what runs there."""
        with self._lock:
            kept, self._kept = list(self._kept.values()), {}
        for each in kept:
            each.server.stop(at_once=True)

    def _take(self, name: str, parcel: bytes) -> tuple[_Kept, list[Server]]:
        """The server of that name, moved to the end, and those that nobody uses and that are too many."""
        with self._lock:
            kept = self._kept.pop(name, None) or _Kept(_server(parcel), threading.Lock())
            self._kept[name] = kept
            kept.users += 1
            idle = [each for each, other in self._kept.items() if other.users == 0]
            surplus = idle[: max(len(self._kept) - self._most, 0)]
            return kept, [self._kept.pop(each).server for each in surplus]


def _server(parcel: bytes) -> Server:
    runs = {"default_agent": AGENT, "builtin_agents": (), "spares": 0}
    return Server(settings={"runs": runs}, agents={AGENT: {"callable": parcel}})


_of_process: dict[int, Servers] = {}


def _servers() -> Servers:
    """This process's: one that was forked must not touch its parent's."""
    pid = os.getpid()
    if pid not in _of_process:
        _of_process[pid] = Servers()
        atexit.register(_close, pid)
    return _of_process[pid]


def _close(pid: int) -> None:
    if pid == os.getpid() and pid in _of_process:
        _of_process.pop(pid).close()
