"""The kill rungs that this build can climb: how a warden is forked, how it kills, and what its end proves.

K4 is a pid namespace and a cgroup that is killed as one. K3 is a pid namespace: the warden is its init, so the
kernel ends the whole run with it. K2 is a user of the run's own, all of whom are killed at once. K1- is a subreaper
warden: certain against crashes, not against malice; K1 is the same where no run can send its warden a signal, trace
it or set its limits, by landlock's scope and seccomp. K0 kills a process group and proves nothing. Where there is a
cgroup to kill by (`leaf.py`) every rung uses it, too.
"""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NoReturn

from . import linux, reaping, users


@dataclass(frozen=True, slots=True)
class KillRung:
    """One way to hold a run. `gone_with_warden`: the kernel ends the rest when the warden ends, however it ends."""

    name: str  # in settings and ZygoteStart
    level: str  # as the ladder of containment calls it
    title: str  # for people
    proof: str
    gone_with_warden: bool
    needs: tuple[str, ...]  # mechanisms, by the names that `trials` gives them
    walls: tuple[str, ...] = ()  # that must be round every run, by the names of `walls.WALLS`

    @property
    def has_pid_namespace(self) -> bool:
        """Whether a run's processes can name only each other and their warden, which is pid 1 there."""
        return "pid_namespace" in self.needs


CGROUP = KillRung(
    "cgroup",
    "K4",
    "cgroup and pid namespace",
    "cgroup",
    gone_with_warden=True,
    needs=("pid_namespace", "cgroup_kill"),
)
PIDNS = KillRung("pidns", "K3", "pid namespace", "pidns", gone_with_warden=True, needs=("pid_namespace",))
SUBREAPER = KillRung("subreaper", "K1-", "subreaper", "echild", gone_with_warden=False, needs=("subreaper",))
OWN_USER = KillRung(
    "uid",
    "K2",
    "user of its own",
    "echild",
    gone_with_warden=False,
    needs=("subreaper", "uid_kill"),
    walls=("uid",),
)
SCOPE = KillRung(
    "scope",
    "K1",
    "subreaper that runs can't reach",
    "echild",
    gone_with_warden=False,
    needs=("subreaper", "signal_scope", "seccomp"),
    walls=("landlock", "seccomp"),
)
GROUP = KillRung("group", "K0", "process group", "none", gone_with_warden=False, needs=())
RUNGS = {rung.name: rung for rung in (CGROUP, PIDNS, OWN_USER, SCOPE, SUBREAPER, GROUP)}
LEVELS = ("K0", "K1-", "K1", "K2", "K3", "K4")  # weakest first


def fork_warden(rung: KillRung, user_namespace: bool) -> linux.Child | None:
    """Fork from a zygote; None in the child, which then calls `settle` before anything else. Raises OSError."""
    return linux.clone_process(namespaces(rung, user_namespace))


def namespaces(rung: KillRung, user_namespace: bool) -> int:
    """What a warden on this rung is born with: flags of clone(2)."""
    if not rung.has_pid_namespace:
        return 0
    return linux.CLONE_NEWPID | (linux.CLONE_NEWUSER if user_namespace else 0)


def settle(
    rung: KillRung, user_namespace: bool, uid: int, gid: int, agent_pid: int = 0, own_uid: int = 0
) -> Callable[[], None]:
    """In the warden: take the place that the rung gives it; returns the round of killing that `end_all` needs.

    `uid` and `gid` are the zygote's, asked before the fork: in a new user namespace they have no name yet.
    `agent_pid`: the leader of the run's process group, which is all that the last rung knows. `own_uid`: the run's.
    """
    if rung is GROUP:
        return partial(reaping.kill_group, agent_pid)
    if rung.has_pid_namespace:
        if user_namespace:
            linux.set_dumpable(True)  # else the maps are root's
            linux.map_own_ids(uid, gid)
            linux.set_dumpable(False)
        return reaping.kill_namespace
    linux.become_subreaper()
    return users.UserRounds(own_uid) if rung is OWN_USER and own_uid else reaping.SubreaperRounds()


def collect_orphans(name: str) -> None:
    """For root and zygotes: what loses its parent comes to them, to be ended. Raises OSError.

    Not on the last rung: what leaves its process group there is nobody's, and may be of a live run.
    """
    if name != GROUP.name:
        linux.become_subreaper()


def try_rung(rung: KillRung, user_namespace: bool) -> OSError | None:
    """Do it in a throw-away child: None if it works, else the kernel's answer. Single-threaded callers only."""
    uid, gid = os.geteuid(), os.getegid()
    try:
        child = fork_warden(rung, user_namespace)
    except OSError as error:
        return error
    if child is None:
        _prove(rung, user_namespace, uid, gid)
    os.close(child.pidfd)
    _, status = os.waitpid(child.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    return None if code == 0 else OSError(max(code, 0), os.strerror(max(code, 0)))


def _prove(rung: KillRung, user_namespace: bool, uid: int, gid: int) -> NoReturn:
    """Settle, fork one grandchild, end it. Never returns: exits with 0, or with the errno."""
    code = 1
    try:
        kill_round = settle(rung, user_namespace, uid, gid)
        if os.fork() == 0:
            signal.alarm(5)  # should the killing not work, this ends it
            while True:
                signal.pause()
        code = 0 if not reaping.end_all(kill_round) else 1
    except OSError as error:
        code = error.errno or 1
    finally:
        os._exit(code)
