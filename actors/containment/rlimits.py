"""The limits that the kernel holds for each process of a run (getrlimit(2)), set by the agent before it begins.

Hard and soft at once, so that the agent can't take them back.
"""

import contextlib
import os
import resource
from collections.abc import Mapping

_BY_NAME = {
    "open_files": resource.RLIMIT_NOFILE,
    "file_bytes": resource.RLIMIT_FSIZE,
    "pids": resource.RLIMIT_NPROC,
}
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_LEAST_SLACK_BYTES = 1 << 26


def bind(pid: int, limits: Mapping[str, float], own_threads: int, own_user: bool = False) -> None:
    """Set these, by their names in the settings, for the agent of this pid (0: the caller) and all that it starts.

    `own_threads`: those in the agent's process that are ours, and not counted as the agent's. `own_user`: it is to be
    a user that its warden is not.
    """
    ours = own_threads + (not own_user)
    for name, limit in limits.items():
        _set(pid, _BY_NAME[name], int(limit) + (ours if name == "pids" else 0))


def fence(pid: int, limits: Mapping[str, float]) -> None:
    """Behind what the warden holds, for when it comes late: each process alone has no more than all may have.

    Not `RLIMIT_AS`: programs reserve far more room than they use. A process is refused private memory a good piece
    above the limit, so that it is the warden who ends the run, for that reason.
    """
    if "cpu_s" in limits:
        _set(pid, resource.RLIMIT_CPU, int(limits["cpu_s"]) + 2, more=2)
    if "memory_bytes" in limits:
        memory_bytes = int(limits["memory_bytes"])
        slack_bytes = max(memory_bytes // 4, _LEAST_SLACK_BYTES)
        _set(pid, resource.RLIMIT_DATA, _own_data_bytes() + memory_bytes + slack_bytes)


def _set(pid: int, kind: int, limit: int, more: int = 0) -> None:
    """At most what is allowed now: only root may have more than that."""
    with contextlib.suppress(ProcessLookupError):  # it ended already, which its pidfd says
        _, allowed = resource.prlimit(pid, kind)
        hard = limit + more
        if allowed != resource.RLIM_INFINITY:
            limit, hard = min(limit, allowed), min(hard, allowed)
        resource.prlimit(pid, kind, (limit, hard))


def _own_data_bytes() -> int:
    """What the caller has of private memory, and so had the agent when it was forked (proc_pid_statm(5))."""
    descriptor = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return int(os.read(descriptor, 200).split()[5]) * _PAGE_BYTES
    finally:
        os.close(descriptor)
