"""The mechanisms that hold a run, each tried for real in a throw-away child, all but the cgroups (`cgroup_trials`).

The order is that of the report. What a trial says is only of this machine, this user and this moment.
"""

import errno
import os
import signal
import socket
import time
from collections.abc import Callable

from . import linux, reaping, seccomp, users
from .findings import Tried
from .rungs import PIDNS, SUBREAPER, KillRung, try_rung
from .throwaway import LONGEST_S, Work, ms_since, refused, tried, why

LANDLOCK_SCOPE_ABI = 6  # of signals, Linux 6.12
TRIAL_UID = 2_147_352_000  # nobody's, as those of `uids`, and no run's either: whatever has it is killed

_NAMESPACES: dict[str, int] = {
    "mount_namespace": linux.CLONE_NEWNS,
    "network_namespace": linux.CLONE_NEWNET,
    "ipc_namespace": linux.CLONE_NEWIPC,
    "uts_namespace": linux.CLONE_NEWUTS,
}


def try_kernel() -> dict[str, Tried]:
    """All trials that need no cgroup: mechanism → what came of it. Takes some 15 ms. Single-threaded callers only."""
    return {
        "pid_namespace": _rung(PIDNS),
        "user_namespace": tried(_map_ids(), linux.CLONE_NEWUSER),
        **{name: _namespace(flag, _CHECKS[name]) for name, flag in _NAMESPACES.items()},
        "subreaper": _rung(SUBREAPER),
        "children_of_a_process": tried(_children),
        "landlock": tried(_landlock),
        "signal_scope": tried(_signal_scope),
        "seccomp": tried(_seccomp),
        "uid_kill": tried(_uid_kill),
    }


def _modes() -> tuple[bool, ...]:
    """Without a user namespace and in one: what an ordinary user may do is only the second."""
    return (False, True) if os.geteuid() == 0 else (True,)


def _rung(rung: KillRung) -> Tried:
    return _in_some_mode(lambda user_namespace: _tried_rung(rung, user_namespace), rung is PIDNS)


def _tried_rung(rung: KillRung, user_namespace: bool) -> Tried:
    began = time.monotonic()
    error = try_rung(rung, user_namespace)
    took_ms = ms_since(began)
    return Tried(took_ms=took_ms) if error is None else refused(error, took_ms)


def _namespace(flag: int, check: Work) -> Tried:
    def in_mode(user_namespace: bool) -> Tried:
        if not user_namespace:
            return tried(check, flag)
        map_ids = _map_ids()

        def mapped() -> str | None:
            map_ids()
            return check()

        return tried(mapped, flag | linux.CLONE_NEWUSER)

    return _in_some_mode(in_mode)


IN_USER_NAMESPACE = "in a user namespace"


def in_user_namespace(outcome: Tried) -> bool:
    """Whether this mechanism works, but only there."""
    return outcome.works and outcome.detail == IN_USER_NAMESPACE


def _in_some_mode(attempt: Callable[[bool], Tried], modes_matter: bool = True) -> Tried:
    """The first mode that works; if none does, what was said to each."""
    refusals: list[Tried] = []
    for user_namespace in _modes() if modes_matter else (False,):
        outcome = attempt(user_namespace)
        if outcome.works:
            return Tried(0, outcome.took_ms, IN_USER_NAMESPACE if user_namespace else outcome.detail)
        refusals.append(outcome)
    more = "; ".join(f"{IN_USER_NAMESPACE}: {why(each)}" for each in refusals[1:])
    first = refusals[0]
    return Tried(first.errno, first.took_ms, "; ".join(filter(None, (first.detail, more))))


def _map_ids() -> Work:
    uid, gid = os.geteuid(), os.getegid()

    def work() -> str | None:
        linux.set_dumpable(True)
        linux.map_own_ids(uid, gid)
        return None

    return work


def _nothing() -> str | None:
    return None


def _own_host_name() -> str | None:
    socket.sethostname("runward")
    return None


def _empty_network() -> str | None:
    if [name for _, name in socket.if_nameindex()] != ["lo"]:
        raise OSError(errno.EEXIST, "it is not empty", "interfaces")
    return None


_CHECKS: dict[str, Work] = {
    "mount_namespace": _nothing,
    "network_namespace": _empty_network,
    "ipc_namespace": _nothing,
    "uts_namespace": _own_host_name,
}


def _children() -> str | None:
    """Whether the kernel tells the children of a process (CONFIG_PROC_CHILDREN); else all of /proc is read."""
    linux.read_small(f"/proc/{reaping.host_pid()}/task/{reaping.host_pid()}/children")
    return None


def _landlock() -> str:
    return f"ABI {linux.landlock_abi()}"


def _signal_scope() -> str | None:
    abi = linux.landlock_abi()
    if abi < LANDLOCK_SCOPE_ABI:
        raise OSError(
            errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP), f"landlock ABI {abi}, Linux 6.12 has it"
        )
    return None


def _seccomp() -> str | None:
    linux.set_no_new_privileges()
    linux.SystemCallFilter(seccomp.ALLOWING).apply()
    return None


def _uid_kill() -> str | None:
    """Kill somebody whom nobody else is, as him, and nobody else: this process and its parent live on."""
    ready_reads, ready_writes = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(LONGEST_S)
        try:
            os.setgroups([])
            os.setresgid(TRIAL_UID, TRIAL_UID, TRIAL_UID)
            os.setresuid(TRIAL_UID, TRIAL_UID, TRIAL_UID)
            os.write(ready_writes, b"y")
            signal.pause()
        except OSError as error:
            os._exit(error.errno or 1)
        finally:
            os._exit(0)
    os.close(ready_writes)
    if os.read(ready_reads, 1):
        users.kill_user(TRIAL_UID)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code != -signal.SIGKILL:
        raise OSError(max(code, 0) or errno.EPERM, os.strerror(max(code, 0) or errno.EPERM), "setresuid")
    return None
