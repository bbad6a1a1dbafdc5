"""Names looked up off the loop: getaddrinfo(3) blocks, and nothing else asks all that a machine's names come from."""

import _thread
import contextlib
import os
import socket
from collections import deque
from collections.abc import Callable
from ipaddress import ip_address
from queue import SimpleQueue

from .actor import Actor
from .reachable import Address, plain

MOST_THREADS = 4
MOST_WAITING = 256

#: Called with what a name leads to, in the order to be tried; with nothing and the reason where there is nothing.
Told = Callable[[list[Address], str], None]


class Resolver:
    """Looks names up in threads of its own, of which there are at most a few and none before the first name."""

    def __init__(self, actor: Actor) -> None:
        self._actor = actor
        self._asked: SimpleQueue[tuple[str, Told] | None] = SimpleQueue()
        self._found: deque[tuple[Told, list[Address], str]] = deque()
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._threads = self._unanswered = 0
        actor.watch(self._wake_read, self._tell)

    def resolve(self, host: str, told: Told) -> None:
        """`told` is called in a later turn, however long that takes: resolv.conf(5) has the deadlines."""
        if self._unanswered >= MOST_WAITING:
            self._actor.after(0, lambda: told([], "too many names are being looked up"))
            return
        self._unanswered += 1
        if self._threads < min(self._unanswered, MOST_THREADS):
            self._threads += 1
            _thread.start_new_thread(self._work, ())
        self._asked.put((host, told))

    def close(self) -> None:
        """No more answers. Threads that are looking something up end with their process."""
        self._actor.unwatch(self._wake_read)
        for fd in (self._wake_read, self._wake_write):
            os.close(fd)
        self._wake_write = -1
        for _ in range(self._threads):
            self._asked.put(None)

    def _work(self) -> None:
        while asked := self._asked.get():
            host, told = asked
            addresses, why = _look_up(host)
            self._found.append((told, addresses, why))
            with contextlib.suppress(OSError):  # closed meanwhile
                os.write(self._wake_write, b"\0")  # one for each answer; there are few at a time

    def _tell(self) -> None:
        for _ in os.read(self._wake_read, 4096):
            told, addresses, why = self._found.popleft()
            self._unanswered -= 1
            told(addresses, why)


def _look_up(host: str) -> tuple[list[Address], str]:
    try:
        found = socket.getaddrinfo(host.encode("ascii"), None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return [], str(error)
    texts = dict.fromkeys(str(address[0]).partition("%")[0] for *_, address in found)
    return [plain(ip_address(text)) for text in texts], ""
