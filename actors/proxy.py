"""The proxy of one run: its agent's only way out of an empty network, and only to what its configuration lists.

A process of the warden's, forked from the zygote's image like the agent. It runs none of the agent's code, but it
reads what that sends, so it is walled in itself: as an agent that has the host's network and may touch no file. It
accepts on a socket that listens on the loopback inside the agent's network, which the agent's process made before any
code of the agent's and handed over; from there nothing leads but through here. It ends with its run.
"""

import contextlib
import fcntl
import mmap
import os
import socket
import struct
import traceback
from functools import partial
from typing import NoReturn

from ..config.sections import AgentSpec, ProxySettings
from . import birth
from .actor import Actor, Callback
from .containment import linux, oom
from .containment.walls import Walls
from .errors import WallFailed
from .messages.with_zygote import Place
from .proxy_connection import Connection
from .reachable import Reachable
from .records import NetworkUse
from .resolving import Resolver

NICENESS = 5  # what it does is done for an agent
PAUSE_S = 0.1  # when nothing can be accepted
MOST_REFUSALS = 32  # distinct ones that are told; all are counted
SPARE_DESCRIPTORS = 64
SIZE_BYTES = 1 << 20  # of its folder, which it has no use for
_USE = struct.Struct("=4Q")


class Tally:
    """What a proxy counted, in memory that its warden shares: one that is killed has told all the same."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, mmap.PAGESIZE)
        self.connections = self.refused = self.sent_bytes = self.received_bytes = 0

    def share(self) -> None:
        """Make it known."""
        _USE.pack_into(self._shared, 0, self.connections, self.refused, self.sent_bytes, self.received_bytes)

    def shared(self) -> NetworkUse:
        """As far as it was made known."""
        return NetworkUse(*_USE.unpack_from(self._shared))


class Proxying:
    """How the runs of one agent are proxied. Made by its zygote."""

    def __init__(self, agent: str, spec: AgentSpec, settings: ProxySettings, walls: Walls, uid: int) -> None:
        """`walls`: round the proxies. `uid`: theirs, where processes of root's runs have users of their own."""
        self.reachable = Reachable(f"agents.{agent}.allow_hosts", spec.allow_hosts)
        self.settings = settings
        self.walls = walls
        self.uid = uid

    def new_tally(self) -> Tally:
        """For one run."""
        return Tally()

    def main(
        self, run_id: str, spare: bool, warden_pid: int, gate_fd: int, told_fd: int, tally: Tally
    ) -> NoReturn:
        """Be the proxy. Called by the warden in the child it just forked.

        `spare`: ahead of its run. `gate_fd`: where the listening socket comes from. `told_fd`: where refusals are
        told, as lines.
        """
        try:
            linux.die_with_parent(warden_pid)
            oom.be_killed_first()
            birth.forget_parent_signals()
            os.setsid()
            birth.entitle(f"{birth.SPARE * spare}proxy {run_id}")
            birth.read_nothing()
            birth.keep_only((gate_fd, told_fd))
            os.nice(NICENESS)
            birth.allow_descriptors(2 * self.settings.max_connections + SPARE_DESCRIPTORS)
            listening = _received(gate_fd)
            self._wall_in()
            first = partial(birth.entitle, f"proxy {run_id}") if spare else None
            Proxy(self.reachable, self.settings, listening, told_fd, tally, first).run()
        except WallFailed as failed:
            os.write(told_fd, f"the proxy could not begin: {failed}\n".encode())
        except BaseException:  # noqa: BLE001  # whatever it is, it must not become a second warden
            traceback.print_exc()
        finally:
            os._exit(1)

    def _wall_in(self) -> None:
        self.walls.raise_all(Place(SIZE_BYTES, uid=self.uid))
        linux.set_dumpable(False)  # its memory is not the agent's to read, also where both are one user


class Proxy(Actor):
    """Accepts, as many at once as may be; further ones wait in the kernel's queue."""

    def __init__(
        self,
        reachable: Reachable,
        settings: ProxySettings,
        listening: socket.socket,
        told_fd: int,
        tally: Tally,
        first: Callback | None = None,
    ) -> None:
        """`first` is called once, at the first connection."""
        super().__init__()
        self.actor: Actor = self
        self.reachable = reachable
        self.settings = settings
        self.resolver = Resolver(self)
        self._listening = listening
        self._told_fd = told_fd
        self._told: set[str] = set()
        self._tally = tally
        self._first = first
        self._open: set[Connection] = set()
        listening.setblocking(False)
        os.set_blocking(told_fd, False)
        self.watch(listening.fileno(), self._accept)

    def _accept(self) -> None:
        try:
            client, _ = self._listening.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # it left again
        except OSError:  # for want of descriptors, or of memory
            self.unwatch(self._listening.fileno())
            self.after(PAUSE_S, lambda: self.watch(self._listening.fileno(), self._accept))
            return
        client.setblocking(False)
        if self._first is not None:
            self._first()
            self._first = None
        self._tally.connections += 1
        connection = Connection(self, client, lambda: self._closed(connection))
        self._open.add(connection)
        if len(self._open) == self.settings.max_connections:
            self.unwatch(self._listening.fileno())

    def _closed(self, connection: Connection) -> None:
        if len(self._open) == self.settings.max_connections:
            self.watch(self._listening.fileno(), self._accept)
        self._open.discard(connection)

    def close(self) -> None:
        """Break off everything and give the descriptors back, but for the one that refusals are told to."""
        for connection in list(self._open):
            connection.close()
        self.unwatch(self._listening.fileno())
        self._listening.close()
        self.resolver.close()
        super().close()

    def refused(self, why: str) -> None:
        """Count it, and tell the warden of the first of its kind."""
        self._tally.refused += 1
        if why not in self._told and len(self._told) < MOST_REFUSALS:
            self._told.add(why)
            with contextlib.suppress(BlockingIOError):  # a pipe of a user who has too many may be very short
                os.write(self._told_fd, why.encode() + b"\n")

    def sent(self, size: int) -> None:
        """To a server."""
        self._tally.sent_bytes += size

    def received(self, size: int) -> None:
        """From a server."""
        self._tally.received_bytes += size

    def turn_ended(self) -> None:
        """What was counted is told at once: nobody knows when this process will be killed."""
        self._tally.share()


def _received(gate_fd: int) -> socket.socket:
    """The listening socket. Waits for it; ends with the agent if that never comes so far."""
    with socket.socket(fileno=gate_fd) as gate:
        _, descriptors, _, _ = socket.recv_fds(gate, 1, 1)
    if not descriptors:
        os._exit(0)
    fcntl.fcntl(descriptors[0], fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    return socket.socket(fileno=descriptors[0])
