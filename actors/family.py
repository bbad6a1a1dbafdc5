"""The agent process as its warden makes and holds it."""

import contextlib
import fcntl
import os
import socket
import traceback
from typing import NoReturn

from . import agent, birth, command, limits, preloading, stack_pipe
from .agent_link import PIPE_BYTES
from .containment import linux, oom, rlimits
from .containment.leaf import Leaf
from .containment.walls import Walls
from .ending import EXIT_FAILED
from .errors import WallFailed
from .messages import Fork
from .roles import ZygoteStart


class Family:
    """The agent as its warden holds it: pid (in the warden's namespace), socket, and the read ends of its pipes."""

    def __init__(
        self, child: linux.Child, link: socket.socket, up_fd: int, out_fd: int, err_fd: int, stack_fd: int
    ) -> None:
        self.pid = child.pid
        self.pidfd = child.pidfd
        self.link = link
        self.up_fd = up_fd
        self.out_fd = out_fd
        self.err_fd = err_fd
        self.stack_fd = stack_fd

    @property
    def descriptors(self) -> tuple[int, ...]:
        """All that is held here."""
        return self.pidfd, self.link.fileno(), self.up_fd, self.out_fd, self.err_fd, self.stack_fd


def fork_agent(start: ZygoteStart, walls: Walls, leaf: Leaf, asked: Fork) -> Family:
    """Fork the agent into its leaf, blocked on its socket. Raises OSError.

    Called by a warden while there is nothing to inherit: its keys are unread, and no ZeroMQ exists.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    up_read, up_write = os.pipe()
    with contextlib.suppress(PermissionError):  # a user may have 64 MiB of large pipes
        fcntl.fcntl(up_read, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    out_read, out_write = os.pipe()
    err_read, err_write = os.pipe()
    stack_read, stack_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    warden_pid = os.getpid()
    # Foreign modules may have asked to be called after a fork; of ours, and Python's, nothing that matters here has.
    foreign = preloading.is_foreign(start.spec)
    child = linux.fork(leaf.fd) if foreign else linux.clone_process(0, leaf.fd)
    if child is None:
        _be_agent(
            start,
            walls,
            leaf,
            asked,
            theirs.detach(),
            up_write,
            out_write,
            err_write,
            stack_write,
            warden_pid,
        )
    theirs.close()
    os.close(up_write)
    os.close(out_write)
    os.close(err_write)
    os.close(stack_write)
    ours.setblocking(False)
    os.set_blocking(up_read, False)
    os.set_blocking(out_read, False)
    os.set_blocking(err_read, False)
    return Family(child, ours, up_read, out_read, err_read, stack_read)


def _be_agent(
    start: ZygoteStart,
    walls: Walls,
    leaf: Leaf,
    asked: Fork,
    link_fd: int,
    up_fd: int,
    out_fd: int,
    err_fd: int,
    stack_fd: int,
    warden_pid: int,
) -> NoReturn:
    """Become the agent process: own stdio, own title, one socket, a pipe for its stacks; dies with its warden."""
    try:
        linux.die_with_parent(warden_pid)
        leaf.enter()  # before it has a second thread
        oom.be_killed_first()
        birth.forget_parent_signals()
        os.setsid()
        birth.entitle(f"agent {asked.run_id}")
        birth.read_nothing()
        birth.write_to(out_fd, err_fd)
        birth.keep_only((link_fd, up_fd, stack_fd))
        stack_pipe.answer_by(stack_fd)
        _bind(start, asked)
        _raise_walls(walls, asked, up_fd)
        if start.spec.command:
            command.main(link_fd, up_fd, start.spec.command, start.spec.env)
        preloading.reseed()
        agent.main(link_fd, up_fd, start.spec, asked.run_id, start.settings.events.max_event_bytes)
    except BaseException:  # noqa: BLE001  # whatever it is, it must not become a second warden
        traceback.print_exc()
    finally:
        os._exit(1)


def _bind(start: ZygoteStart, asked: Fork) -> None:
    """To the limits that the kernel holds for each process."""
    if asked.rlimits:
        rlimits.bind(0, asked.rlimits, limits.own_threads(start.spec))
    if asked.watched:
        rlimits.fence(0, asked.watched)


def _raise_walls(walls: Walls, asked: Fork, up_fd: int) -> None:
    """From here on this process may do no more than an agent may. Without its walls a run does not begin."""
    try:
        walls.raise_all(asked.place)
    except WallFailed as failed:
        os.write(up_fd, command.claim_start_failed(str(failed)))
        os._exit(EXIT_FAILED)
