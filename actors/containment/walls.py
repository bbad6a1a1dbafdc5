"""The walls round an agent: what can be had of them, and how its process raises them, after the fork and for good.

Prepared once by the zygote, so that a run has little left to do. Raised by the agent's process before any code of
the agent's; one that can't be raised there ends the run: none is ever left out in silence. `docs/security.md` tells
what each holds.
"""

import fcntl
import os
import platform
import socket
import struct
from _socket import socket as _Socket  # without what `socket` adds, which an agent would copy
from collections.abc import Callable, Collection, Iterable
from functools import partial

from ...config.sections import AgentSpec
from .. import proxy_variables
from ..errors import WallFailed
from ..messages.with_zygote import Place
from . import linux, seccomp
from .landlock import Landlock
from .view import PRIVATE, TEMPORARY, WORK_FOLDER, View
from .visible import visible

MOUNTS, IPC, UTS, NETWORK = "mounts", "ipc", "uts", "network"
LANDLOCK, UID, CAPABILITIES, SECCOMP = "landlock", "uid", "capabilities", "seccomp"
#: All there are, in the order in which they are raised: what comes later takes away what the earlier need.
WALLS = (MOUNTS, IPC, UTS, NETWORK, LANDLOCK, UID, CAPABILITIES, SECCOMP)

_NAMESPACES = {
    MOUNTS: linux.CLONE_NEWNS,
    IPC: linux.CLONE_NEWIPC,
    UTS: linux.CLONE_NEWUTS,
    NETWORK: linux.CLONE_NEWNET,
}
#: What each holds: axis → by what.
_HOLDS = {
    MOUNTS: {"files": "own root"},
    IPC: {"ipc": "namespace"},
    UTS: {"hostname": "namespace"},
    NETWORK: {"network": "namespace"},
    LANDLOCK: {"files": "landlock", "secrets": "landlock"},
    UID: {"privileges": "own uid", "secrets": "own uid"},
    CAPABILITIES: {"privileges": "no capabilities"},
    SECCOMP: {"system_calls": "seccomp"},
}
_USER_NAME = "runward"
_HOST_NAME = "localhost"  # that every machine can resolve
_BACKLOG = 128  # connections to the proxy that wait
_SIOCSIFFLAGS, _IFF_UP, _IFF_RUNNING = 0x8914, 0x1, 0x40  # netdevice(7)
_LOOPBACK_UP = struct.pack("16sH22x", b"lo", _IFF_UP | _IFF_RUNNING)


def held(names: Collection[str], spec: AgentSpec) -> dict[str, str]:
    """What each axis of this agent's runs is held by, as `Containment.applied` says it."""
    found: dict[str, list[str]] = {}
    for name in of_agent(names, spec):
        for axis, mechanism in _HOLDS[name].items():
            found.setdefault(axis, []).append(mechanism)
    if NETWORK in names and spec.network == "proxy":
        found["network"].append("proxy")
    if NETWORK not in names and SECCOMP in names and spec.network != "host":
        found["network"] = ["seccomp"]  # not even sockets
    if MOUNTS in names and spec.limits.work_folder_bytes and spec.work_folder != "keep":
        found["work_folder"] = ["tmpfs"]
    return {axis: ", ".join(mechanisms) for axis, mechanisms in found.items()}


def of_agent(names: Iterable[str], spec: AgentSpec) -> tuple[str, ...]:
    """Those of these walls that are round this agent: one that declares the host's network has that."""
    declared_away = {NETWORK, UTS} if spec.network == "host" else set()
    return tuple(name for name in names if name not in declared_away)


class Walls:
    """The walls of one agent's runs, ready to be raised any number of times. Made by its zygote."""

    def __init__(
        self, names: Iterable[str], spec: AgentSpec, alone: bool, stage: str, hidden: Iterable[str]
    ) -> None:
        """`alone`: each run has a pid namespace. `stage`: a folder that no run needs to see; `hidden`: what none
        may, wherever it is."""
        self.names = of_agent(names, spec)
        self._seen = visible(spec, hidden)
        self._given = {name: spec.env[name] for name in ("HOME", "TMPDIR") if name in spec.env}
        self._view = View(self._seen, stage, alone) if MOUNTS in self.names else None
        whoever = UID in self.names or os.geteuid() != 0
        self._rules = self._ruleset(spec, whoever) if LANDLOCK in self.names else None
        self._namespaces = sum(flag for name, flag in _NAMESPACES.items() if name in self.names)
        # What is not dumpable has a /proc of root's. Where nobody of its uid can name it, it may have its own.
        self._may_look_at_itself = UID in self.names or (alone and os.geteuid() != 0)
        self._filter = linux.SystemCallFilter(seccomp.program(self._shape(spec, alone)))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What an operator should know: paths that were declared, and that runs don't see."""
        return tuple(
            f"paths: {path} is not there, or may not be seen by agents" for path in self._seen.absent
        )

    @property
    def environment(self) -> dict[str, str]:
        """Variables that tell a run where it may write, and who it is where no user database knows that."""
        where = {} if self._view is None else {"HOME": WORK_FOLDER, "TMPDIR": TEMPORARY}
        who = {"USER": _USER_NAME, "LOGNAME": _USER_NAME} if UID in self.names else {}
        return where | who

    def raise_all(self, place: Place, gate_fd: int | None = None) -> None:
        """For the calling process and all that it will start; it is then in its work folder.

        `gate_fd`: a socket to the run's proxy, which gets what listens for it in the run's network; closed then.
        Raises `WallFailed`, naming the one that failed.
        """
        parent = os.getppid()
        linux.set_no_new_privileges()
        if self._namespaces:  # a container may refuse the call, whatever is asked for
            _raise("namespaces", lambda: linux.unshare(self._namespaces))
        for name, step in self._steps(place, gate_fd):
            if name in self.names:
                _raise(name, step)
        if UID in self.names:
            linux.die_with_parent(parent)  # which a change of uid undoes
        if self._may_look_at_itself:
            linux.set_dumpable(True)

    def _steps(self, place: Place, gate_fd: int | None) -> Iterable[tuple[str, Callable[[], None]]]:
        """What follows the namespaces."""
        uid = place.uid if UID in self.names else 0
        if self._view is not None:
            yield MOUNTS, partial(self._view.make, place.size_bytes, place.work.encode(), uid)
        elif place.work:
            for folder in (place.work, place.temporary) if uid else ():
                os.chown(folder, uid, uid)
            os.chdir(place.work)
            os.environ.update({"HOME": place.work, "TMPDIR": place.temporary} | self._given)
        yield UTS, lambda: socket.sethostname(_HOST_NAME)
        yield NETWORK, partial(_network_up, gate_fd)
        yield LANDLOCK, partial(self._landlock, place)
        if uid:
            yield UID, partial(_become, uid)
        yield CAPABILITIES, linux.drop_capabilities
        yield SECCOMP, self._filter.apply

    def _ruleset(self, spec: AgentSpec, whoever: bool) -> Landlock:
        own_network = spec.network == "host" or NETWORK in self.names
        return Landlock(linux.landlock_abi(), self._seen, self._view is not None, own_network, whoever)

    def _landlock(self, place: Place) -> None:
        assert self._rules is not None
        own = PRIVATE if self._view is not None else tuple(filter(None, (place.work, place.temporary)))
        self._rules.apply(own)

    def _shape(self, spec: AgentSpec, alone: bool) -> seccomp.Shape:
        own_files = self._view is not None
        on_disk = spec.work_folder == "keep" or not spec.limits.work_folder_bytes
        return seccomp.Shape(
            platform.machine(),
            alone,
            internet=spec.network == "host" or NETWORK in self.names,
            unix=spec.network == "host" or own_files,
            lasting_files=not own_files or bool(spec.paths.writable) or on_disk,
        )


def _raise(name: str, step: Callable[[], None]) -> None:
    try:
        step()
    except OSError as error:
        raise WallFailed(name, error) from error


def _become(uid: int) -> None:
    """Be this user, in a group of its own, and own the run's output."""
    linux.bound_capabilities()  # while that is still allowed
    for fd in (1, 2):
        os.fchown(fd, uid, uid)
    os.setgroups(())
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def _network_up(gate_fd: int | None) -> None:
    """Have a loopback, and nothing else but, where there is a proxy, what hands connections to it."""
    any_socket = _Socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    fcntl.ioctl(any_socket, _SIOCSIFFLAGS, _LOOPBACK_UP)
    any_socket.close()
    if gate_fd is not None:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as listening:
            listening.bind(("127.0.0.1", proxy_variables.PORT))
            listening.listen(_BACKLOG)
            with socket.socket(fileno=gate_fd) as gate:
                socket.send_fds(gate, [b"\0"], [listening.fileno()])
