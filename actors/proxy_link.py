"""The warden's end of its run's proxy: forks it, hears what it refused, and knows in the end what it passed on."""

import os
import signal
from _socket import (  # without what `socket` adds, which the next fork copies
    AF_UNIX,
    SOCK_SEQPACKET,
    socketpair,
)
from collections.abc import Callable
from typing import TYPE_CHECKING

from .containment import linux
from .records import NetworkUse

if TYPE_CHECKING:
    from .proxy import Proxying  # only the zygotes of those who need a proxy load it

MOST_NOTES = 33  # what a proxy tells in its life
_LONGEST_NOTE = 1000
_READ_AT_ONCE = 65_536


class ProxyLink:
    """What a run's proxy is made with. Made by the zygote, as `family.Lines` are, and closed there afterwards."""

    def __init__(self, plan: "Proxying") -> None:
        """Raises OSError."""
        self._plan = plan
        self._tally = plan.new_tally()
        gate, agents_gate = socketpair(AF_UNIX, SOCK_SEQPACKET)
        self._gate_fd, self.agents_gate_fd = gate.detach(), agents_gate.detach()
        self._open = [self._gate_fd, self.agents_gate_fd]
        try:
            self._told_fd, self._tells_fd = os.pipe()
        except OSError:
            self.close()
            raise
        self._open += (self._told_fd, self._tells_fd)
        self._pidfd = -1
        self._text = b""
        self.refusals: list[str] = []

    @property
    def told_fd(self) -> int:
        """Readable when there is something to `hear`."""
        return self._told_fd

    @property
    def wardens(self) -> tuple[int, ...]:
        """The warden's descriptors."""
        return self._told_fd, self._pidfd

    def fork(self, run_id: str, spare: bool) -> None:
        """In the warden: fork the proxy, which then waits for the agent's process. Raises OSError."""
        warden_pid = os.getpid()
        child = linux.clone_process()
        if child is None:
            self._plan.main(run_id, spare, warden_pid, self._gate_fd, self._tells_fd, self._tally)
        self._pidfd = child.pidfd
        os.set_blocking(self._told_fd, False)

    def before(self, kill_round: Callable[[], None]) -> Callable[[], None]:
        """A round of killing that begins with the proxy: it is in no leaf, and not of the run's user."""

        def both() -> None:
            try:
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            except ProcessLookupError:
                pass
            kill_round()

        return both

    def hear(self) -> list[str] | None:
        """What it refused since; None if it will say nothing more."""
        try:
            piece = os.read(self._told_fd, _READ_AT_ONCE)
        except BlockingIOError:
            return []
        if not piece:
            return None
        *lines, self._text = (self._text + piece).split(b"\n")
        self._text = self._text[-_LONGEST_NOTE:]
        room = MOST_NOTES - len(self.refusals)
        news = [line[:_LONGEST_NOTE].decode(errors="replace") for line in lines[:room]]
        self.refusals += news
        return news

    def use(self) -> NetworkUse:
        """What it has passed on so far."""
        return self._tally.shared()

    def close(self) -> None:
        """Close all. The zygote's."""
        for fd in self._open:
            os.close(fd)
