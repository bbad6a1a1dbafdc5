"""The zygote: one agent's image, from which its wardens are forked. Single-threaded, and it holds no secret.

It imports only what `preload` names. It never sees an input, a key or an event, since whatever it saw, the next
fork would inherit. It reaps its wardens, and, where no namespace does that, ends what a killed one left behind.
It ends with its supervisor; its wardens are then root's children, and the next supervisor's runs.
"""

import gc
import os
import signal
import socket
import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, NoReturn

import msgspec

from ..config.sections import AgentSpec
from . import agent, birth, preloading, proxy_variables, rehearsal, server_log, stack_pipe, warden, wire
from .actor import Actor
from .containment import rungs
from .containment.findings import Found
from .containment.leaf import Leaf
from .containment.linux import Child
from .containment.reaping import own_children
from .containment.throwaway import why
from .containment.uids import range_of
from .containment.visible import needed, way_to
from .containment.wall_trials import try_walls
from .containment.walls import MOUNTS, NETWORK, UID, Walls
from .errors import BadMessage
from .family import Lines
from .messages.with_zygote import (
    Fork,
    Forked,
    ForkFailed,
    FromZygote,
    PreloadFailed,
    WardenReaped,
    ZygoteReady,
)
from .packing import fill_gaps
from .proxy_link import ProxyLink
from .roles import ZygoteStart

if TYPE_CHECKING:
    from .proxy import Proxying

MESSAGE_BYTES = 65_536


def begin(birth_fd: int) -> None:
    """Be what was spawned with a `ZygoteStart`."""
    main(birth.born_with(birth_fd, ZygoteStart))


def main(start: ZygoteStart) -> None:
    """Be the zygote of one agent, until the supervisor closes the control socket."""
    birth.begin_role(f"zygote {start.name}", (start.control_fd, start.root_pidfd))
    server_log.begin(f"zygote {start.name}", start.settings.log.format)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl-C is root's; wardens reset it
    os.environ.update(start.spec.env)
    supervisor_pidfd = os.pidfd_open(os.getppid())
    rungs.collect_orphans(start.kill_rung)
    stack_pipe.prepare()
    agent.prepare_streams()
    own_streams = sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__  # not to be ended by each agent
    preloaded = preloading.preload(start.spec)
    if preloaded.trouble is not None:
        give_up_preload(start.control_fd, start.name, preloaded.trouble)
    preloading.compile_ours(start.spec.entrypoint)
    rehearsal.rehearse(f"{start.paths.runtime}/nobody", start.settings.events)
    walls, missing = _walls(start)
    start, missing = _on_its_rung(start, walls, missing)
    proxying = _proxying(start, walls)
    if proxying is not None:
        os.environ.update(proxy_variables.VARIABLES)
    os.environ.update(walls.environment | start.spec.env)
    gc.collect()
    filling = fill_gaps()
    gc.freeze()  # a full collection in a run would else copy the whole image (10-25 MB a run, measured)
    warnings = [*preloaded.warnings, *walls.warnings, *_network_warnings(start, walls)]
    ready = ZygoteReady(os.getpid(), warnings, start.kill_rung, [*walls.names], [*missing])
    Zygote(start, supervisor_pidfd, walls, proxying, ready).run()
    del filling, own_streams  # not before


def _walls(start: ZygoteStart) -> tuple[Walls, tuple[str, ...]]:
    """Those of this agent's runs, and what can't be round them and why."""
    walls = _walls_of(start, start.walls)
    if UID not in walls.names:
        return walls, ()
    found = Found(rung=start.kill_rung, user_namespace=start.user_namespace)
    uid = range_of(start.settings, start.settings.state.dir)[1]
    own_root = MOUNTS in walls.names
    to_reach = [*needed(start.spec), *([] if own_root else [way_to(f"{start.settings.state.dir}/work/run")])]
    outcome = try_walls(lambda: walls, found, uid, to_reach)
    if outcome.works:
        return walls, ()
    others = [name for name in start.walls if name != UID]
    return _walls_of(start, others), (f"wall {UID}: {why(outcome)}",)


def _on_its_rung(
    start: ZygoteStart, walls: Walls, missing: tuple[str, ...]
) -> tuple[ZygoteStart, tuple[str, ...]]:
    """The best rung that these walls allow, and what is missing. Its name is "" if settings allow no lower one."""
    rung = rungs.RUNGS[start.kill_rung]
    if set(rung.walls) <= set(walls.names):
        return start, missing
    start = msgspec.structs.replace(start, kill_rung=start.lower_rung)
    return start, (f"{rung.level} {rung.title}: {'; '.join(missing)}", *missing)


def _proxying(start: ZygoteStart, walls: Walls) -> "Proxying | None":
    """How the agent's runs are proxied, if they are: they need a network of their own to be proxied from."""
    if start.spec.network != "proxy" or NETWORK not in walls.names or not start.kill_rung:
        return None
    from .proxy import Proxying  # which no other agent loads

    names = [name for name in start.walls if name != UID or UID in walls.names]
    own = msgspec.structs.replace(start, spec=AgentSpec(name=start.name, network="host"))
    first_uid, _ = range_of(start.settings, start.settings.state.dir)
    return Proxying(start.name, start.spec, start.settings.proxy, _walls_of(own, names), first_uid)


def _network_warnings(start: ZygoteStart, walls: Walls) -> Iterable[str]:
    if start.spec.network == "proxy" and NETWORK not in walls.names:
        yield 'network: "proxy" needs the wall "network", which its runs have not; they reach nothing'


def _walls_of(start: ZygoteStart, names: Iterable[str]) -> Walls:
    """What is the server's own no run sees, wherever it lies."""
    hidden = (start.settings.state.dir, start.settings.config_file, start.paths.runtime)
    alone = rungs.RUNGS[start.kill_rung].has_pid_namespace
    return Walls(names, start.spec, alone, start.paths.runtime, hidden)


def give_up_preload(control_fd: int, name: str, why: str) -> NoReturn:
    """Say why, and end: the supervisor makes another zygote, which does not preload."""
    server_log.say(f"agent {name}: not preloaded: {why}", "warning", agent=name)
    socket.socket(fileno=control_fd).send(wire.encode(PreloadFailed(why)))
    os._exit(0)  # threads that were left behind are not waited for


class Zygote(Actor):
    """Forks on request. `_wardens`: pid → run and attempt."""

    def __init__(
        self,
        start: ZygoteStart,
        supervisor_pidfd: int,
        walls: Walls,
        proxying: "Proxying | None",
        ready: ZygoteReady,
    ) -> None:
        super().__init__()
        self._start = start
        self._pidfds = (supervisor_pidfd, start.root_pidfd)
        self._rung = rungs.RUNGS.get(start.kill_rung)
        self._refusal = "; ".join(ready.missing)
        self._walls = walls
        self._proxying = proxying
        self._control = socket.socket(fileno=start.control_fd)
        self._wardens: dict[int, Fork] = {}
        self.watch(self._control.fileno(), self._take)
        self.on_signal(signal.SIGCHLD, self._reap)
        self._tell(ready)

    def _take(self) -> None:
        try:
            body, descriptors, _, _ = socket.recv_fds(self._control, MESSAGE_BYTES, 4)
        except ConnectionResetError:  # the supervisor closed with our last message unread
            body, descriptors = b"", []
        if not body:
            self.stop()
            return
        try:
            self._fork(wire.to_zygote.decode(body), descriptors)
        except BadMessage:
            self.stop()  # only the supervisor holds the other end: a newer or a broken one
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _fork(self, asked: Fork, descriptors: list[int]) -> None:
        if self._rung is None:
            self._tell(ForkFailed(asked.run_id, asked.attempt, f"it can't be held: {self._refusal}"))
            return
        try:
            child = self._fork_warden(self._rung, asked, descriptors)
        except OSError as error:
            self._tell(ForkFailed(asked.run_id, asked.attempt, f"{error.strerror} (errno {error.errno})"))
        else:
            self._forked(asked, child)

    def _fork_warden(self, rung: rungs.KillRung, asked: Fork, descriptors: list[int]) -> Child:
        ids = os.geteuid(), os.getegid()
        leaf = Leaf(self._start.places if asked.leaf else (), asked.leaf)
        try:
            lines = Lines()
            try:
                child = self._fork_with(rung, leaf, lines, asked, descriptors, ids)
            finally:
                lines.close()
        finally:
            leaf.close()
        return child

    def _fork_with(
        self,
        rung: rungs.KillRung,
        leaf: Leaf,
        lines: Lines,
        asked: Fork,
        descriptors: list[int],
        ids: tuple[int, int],
    ) -> Child:
        proxy = None if self._proxying is None else ProxyLink(self._proxying)
        try:
            child = rungs.fork_warden(rung, self._start.user_namespace)
            if child is None:
                warden.main(
                    self._start, self._walls, leaf, lines, proxy, asked, descriptors, *self._pidfds, *ids
                )
        finally:
            if proxy is not None:
                proxy.close()
        return child

    def _forked(self, asked: Fork, child: Child) -> None:
        self._wardens[child.pid] = asked
        self._tell(Forked(asked.run_id, asked.attempt, child.pid), (child.pidfd,))
        os.close(child.pidfd)

    def _reap(self) -> None:
        """Wait for dead children. An end that no other process would clean up after is cleaned up after first."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            asked = self._wardens.pop(pid, None)
            if asked is not None:
                gone = self._rung is None or self._rung.gone_with_warden
                swept, left = (0, []) if gone else self._sweep()
                self._tell(WardenReaped(asked.run_id, asked.attempt, pid, status, swept, left))

    def _sweep(self) -> tuple[int, list[int]]:
        """End the orphans of a dead warden: they became our children, and no warden of ours is among them.

        How many there were, and who is left of them. One by one: a user of the run's own may be another run's by now.
        """
        swept: set[int] = set()
        orphans: set[int] = set()
        deadline = time.monotonic() + 2.0
        while time.monotonic() < deadline:
            orphans = set(own_children()) - self._wardens.keys()
            if not orphans:
                return len(swept), []
            swept |= orphans
            for pid in orphans:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, os.WNOHANG)
            os.sched_yield()
        return len(swept), sorted(orphans)

    def _tell(self, message: FromZygote, descriptors: tuple[int, ...] = ()) -> None:
        try:
            socket.send_fds(self._control, [wire.encode(message)], descriptors)
        except OSError:
            self.stop()  # the supervisor is gone; the wardens see that for themselves
