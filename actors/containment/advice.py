"""What an administrator could do about what this machine refuses. Pure: what was tried → lines for a person."""

import errno
from collections.abc import Callable, Iterator, Mapping

from .findings import Found, Tried

Advise = Callable[[Tried, Mapping[str, str]], str | None]

_CGROUPS = ("cgroup_kill", "memory_cgroup", "pids_cgroup", "cpu_cgroup")
_UNIT = (
    "run the server as a systemd service with Delegate=yes, as config/runward.service does"
    " (for a try: systemd-run --user --scope -p Delegate=yes runward serve)"
)


def advice(found: Found) -> list[str]:
    """One line for each thing that would help, the most helpful first."""
    return list(dict.fromkeys(_lines(found)))


def _lines(found: Found) -> Iterator[str]:
    for name, advise in _ADVICE.items():
        outcome = found.tried.get(name)
        if outcome is not None and not outcome.works:
            line = advise(outcome, found.surroundings)
            if line is not None:
                yield f"{name.replace('_', ' ')}: {line}"
    if any(wall == "mounts" and not outcome.works for wall, outcome in found.walls.items()):
        yield "mounts: a root of its own for each run needs a mount namespace; see user namespace above"
    own_user = found.walls.get("uid", Tried())
    if own_user.errno == errno.EACCES:
        yield (
            f"uid: runs can't have users of their own, since those could not get at {own_user.detail}:"
            " install Python and runward, and have the state folder, where everybody may enter"
        )


def _pid_namespace(outcome: Tried, surroundings: Mapping[str, str]) -> str | None:
    if outcome.errno == errno.ENOSYS:
        return (
            "a container's seccomp profile hides clone3; give the container --security-opt seccomp=unconfined,"
            " a profile that allows clone3 with namespaces, or --cap-add SYS_ADMIN"
        )
    if outcome.errno in (errno.ENOSPC, errno.EUSERS):
        return "raise user.max_user_namespaces and user.max_pid_namespaces (sysctl) above 0"
    return _user_namespace(outcome, surroundings)


def _user_namespace(outcome: Tried, surroundings: Mapping[str, str]) -> str | None:
    if surroundings.get("kernel.apparmor_restrict_unprivileged_userns") == "1":
        return (
            "AppArmor keeps user namespaces from programs without a profile: add one for this Python with the rule"
            " `userns,`, or set kernel.apparmor_restrict_unprivileged_userns=0 (sysctl)"
        )
    if surroundings.get("kernel.unprivileged_userns_clone") == "0":
        return "set kernel.unprivileged_userns_clone=1 (sysctl)"
    if surroundings.get("user.max_user_namespaces") == "0" or outcome.errno == errno.ENOSPC:
        return "raise user.max_user_namespaces (sysctl) above 0"
    if surroundings.get("container") or outcome.errno in (errno.EPERM, errno.ENOSYS):
        return "a container or its seccomp profile denies it: allow user namespaces there, or --cap-add SYS_ADMIN"
    return None


def _cgroup(outcome: Tried, _surroundings: Mapping[str, str]) -> str | None:
    match outcome.errno:
        case errno.EACCES | errno.EPERM:
            return f"this user may not arrange its own cgroup; {_UNIT}"
        case errno.EBUSY:
            return f"others are in our cgroup, so it can't have children with limits; {_UNIT}"
        case errno.EROFS:
            return (
                "cgroups are mounted read-only, as in most containers: mount them writable"
                " (docker: --cgroupns=private with -v /sys/fs/cgroup:/sys/fs/cgroup:rw; podman: --systemd=always)"
            )
        case errno.ENOENT:
            return "the kernel is older than 5.14, or lacks the controller"
        case errno.ENODEV:
            return (
                "it is not mounted here: use cgroups of version 2 (systemd.unified_cgroup_hierarchy=1;"
                " for memory on some machines cgroup_enable=memory) on the kernel's command line"
            )
        case _:
            return None


def _uid_kill(outcome: Tried, surroundings: Mapping[str, str]) -> str | None:
    if surroundings.get("user") == "root" and outcome.errno in (errno.EPERM, errno.EINVAL):
        return (
            "root here lacks CAP_SETUID, CAP_SETGID or CAP_KILL, or is one in a user namespace that knows few ids;"
            " give it these (docker: --cap-add)"
        )
    return None  # an ordinary user can't, and nobody should make him root for it


def _landlock(_outcome: Tried, _surroundings: Mapping[str, str]) -> str:
    return "needs Linux 5.13 with landlock among the kernel's lsm= (signal scope: 6.12)"


def _seccomp(_outcome: Tried, _surroundings: Mapping[str, str]) -> str:
    return "needs a kernel with CONFIG_SECCOMP_FILTER"


def _children(_outcome: Tried, _surroundings: Mapping[str, str]) -> str:
    return "a kernel with CONFIG_PROC_CHILDREN makes kills without a pid namespace quicker"


_ADVICE: dict[str, Advise] = {
    "pid_namespace": _pid_namespace,
    "user_namespace": _user_namespace,
    **dict.fromkeys(_CGROUPS, _cgroup),
    "landlock": _landlock,
    "signal_scope": _landlock,
    "seccomp": _seccomp,
    "children_of_a_process": _children,
    "uid_kill": _uid_kill,
}
