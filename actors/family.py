"""The agent process as its warden makes and holds it."""

import fcntl
import os
import traceback
from _socket import AF_UNIX, SOCK_STREAM, socketpair
from _socket import socket as Socket  # not `socket`: what that adds, a fork would copy
from typing import NoReturn

from . import agent, birth, command, limits, preloading, server_log, stack_pipe
from .agent_link import PIPE_BYTES
from .containment import linux, oom, rlimits
from .containment.leaf import Leaf
from .containment.walls import UID, Walls
from .ending import EXIT_FAILED
from .errors import WallFailed
from .messages.with_zygote import Fork
from .proxy_link import ProxyLink
from .roles import ZygoteStart

_PROXYS_THREADS = 5  # its own, and those that look names up


class Lines:
    """What a warden and its agent will speak by: a socket and a pipe, the pipes of stdio, and one for stacks.

    Made by the zygote before it forks either, and closed there afterwards. What a warden touches before it forks its
    agent is copied twice, so it does nothing else until then.
    """

    def __init__(self) -> None:
        """Raises OSError."""
        ours, theirs = socketpair()
        self.link_fd, self.agents_link_fd = ours.detach(), theirs.detach()
        self._open = [self.link_fd, self.agents_link_fd]
        try:
            self.up_fd, self.agents_up_fd = self._pipe()
            self.out_fd, self.agents_out_fd = self._pipe()
            self.err_fd, self.agents_err_fd = self._pipe()
            self.stack_fd, self.agents_stack_fd = self._pipe()
            for fd in (*self.wardens, self.agents_stack_fd):
                os.set_blocking(fd, False)
        except OSError:
            self.close()
            raise
        try:
            fcntl.fcntl(self.up_fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        except PermissionError:
            return  # a user may have 64 MiB of large pipes

    @property
    def wardens(self) -> tuple[int, ...]:
        """The warden's ends."""
        return self.link_fd, self.up_fd, self.out_fd, self.err_fd, self.stack_fd

    def close(self) -> None:
        """Close all of them. The zygote's."""
        for fd in self._open:
            os.close(fd)

    def _pipe(self) -> tuple[int, int]:
        pipe = os.pipe()
        self._open += pipe
        return pipe


class Family:
    """The agent as its warden holds it: pid (in the warden's namespace), socket, and the read ends of its pipes."""

    def __init__(self, child: linux.Child, lines: Lines, proxy: ProxyLink | None) -> None:
        self.pid = child.pid
        self.pidfd = child.pidfd
        self.link = Socket(AF_UNIX, SOCK_STREAM, 0, lines.link_fd)
        self.up_fd = lines.up_fd
        self.out_fd = lines.out_fd
        self.err_fd = lines.err_fd
        self.stack_fd = lines.stack_fd
        self.proxy = proxy


def fork_agent(
    start: ZygoteStart, walls: Walls, leaf: Leaf, lines: Lines, gate_fd: int | None, asked: Fork
) -> linux.Child:
    """Fork the agent into its leaf, blocked on its socket. Raises OSError. `gate_fd`: to its proxy, if it has one.

    Called by a warden while there is nothing to inherit: its keys are unread, and no ZeroMQ exists.
    """
    warden_pid = os.getpid()
    # Foreign modules may have asked to be called after a fork; of ours, and Python's, nothing that matters here has.
    foreign = preloading.is_foreign(start.spec)
    child = linux.fork(leaf.fd) if foreign else linux.clone_process(0, leaf.fd)
    if child is None:
        _be_agent(start, walls, leaf, lines, gate_fd, asked, warden_pid)
    return child


def _be_agent(
    start: ZygoteStart,
    walls: Walls,
    leaf: Leaf,
    lines: Lines,
    gate_fd: int | None,
    asked: Fork,
    warden_pid: int,
) -> NoReturn:
    """Become the agent process: own stdio, own title, one socket, a pipe for its stacks; dies with its warden."""
    link_fd, up_fd, stack_fd = lines.agents_link_fd, lines.agents_up_fd, lines.agents_stack_fd
    try:
        linux.die_with_parent(warden_pid)
        _enter(leaf, asked)  # before it has a second thread
        oom.be_killed_first()
        birth.forget_parent_signals()
        os.setsid()
        birth.entitle(f"{birth.SPARE * asked.spare}agent {asked.run_id}")
        birth.read_nothing()
        birth.write_to(lines.agents_out_fd, lines.agents_err_fd)
        birth.keep_only(
            (link_fd, up_fd, stack_fd) if gate_fd is None else (link_fd, up_fd, stack_fd, gate_fd)
        )
        stack_pipe.answer_by(stack_fd)
        _bind(start, asked, UID in walls.names, 0 if gate_fd is None else _PROXYS_THREADS)
        _raise_walls(walls, asked, up_fd, gate_fd)
        if start.spec.command:
            command.main(link_fd, up_fd, start.spec.command, start.spec.env)
        preloading.reseed()
        agent.main(
            link_fd,
            up_fd,
            start.spec,
            asked.run_id,
            start.settings.events.max_event_bytes,
            asked.spare,
        )
    except BaseException:  # noqa: BLE001  # whatever it is, it must not become a second warden
        traceback.print_exc()
    finally:
        os._exit(1)


def _enter(leaf: Leaf, asked: Fork) -> None:
    """Into the run's leaf. If that is gone, a new supervisor removed it, who knows of no such run: then it ends."""
    try:
        leaf.enter()
    except FileNotFoundError:
        server_log.say("its cgroup is gone: an agent that a supervisor left unborn ends", run_id=asked.run_id)
        os._exit(EXIT_FAILED)


def _bind(start: ZygoteStart, asked: Fork, own_user: bool, beside: int) -> None:
    """To the limits that the kernel holds for each process. `beside`: threads that are ours, and of the same user
    unless the agent is to have its own."""
    if asked.rlimits:
        ours = limits.own_threads(start.spec) + (0 if own_user else beside)
        rlimits.bind(0, asked.rlimits, ours, own_user)
    if asked.watched:
        rlimits.fence(0, asked.watched)


def _raise_walls(walls: Walls, asked: Fork, up_fd: int, gate_fd: int | None) -> None:
    """From here on this process may do no more than an agent may. Without its walls a run does not begin."""
    try:
        walls.raise_all(asked.place, gate_fd)
    except WallFailed as failed:
        os.write(up_fd, command.claim_start_failed(str(failed)))
        os._exit(EXIT_FAILED)
