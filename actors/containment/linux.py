"""The system calls that Python 3.11 does not have, by ctypes, and nothing else. The only module that knows ctypes.

Every function raises OSError with the errno, as `os` does. Sources: clone(2), prctl(2), user_namespaces(7).
"""

import _signal  # type: ignore[import-not-found]  # no stubs
import ctypes
import errno
import os
import platform
import signal
import struct
from dataclasses import dataclass

CLONE_PIDFD = 0x00001000
CLONE_NEWNS = 0x00020000
CLONE_CHILD_CLEARTID = 0x00200000
CLONE_CHILD_SETTID = 0x01000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
CLONE_INTO_CGROUP = 0x200000000

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_SECCOMP = 22
_PR_CAPBSET_DROP = 24
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_PR_GET_TID_ADDRESS = 40

_SECCOMP_MODE_FILTER = 2
# struct __user_cap_header_struct of this process; struct __user_cap_data_struct, twice (capset(2))
_CAPABILITY_VERSION_3 = struct.pack("=Ii", 0x20080522, 0)
_NO_CAPABILITIES = bytes(24)

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
_MS_MOVE = 0x2000
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000

_SYS_CLONE3 = 435  # the same number on every architecture, as are all since
_SYS_MOUNT_SETATTR = 442
_SYS_LANDLOCK_CREATE_RULESET, _SYS_LANDLOCK_ADD_RULE, _SYS_LANDLOCK_RESTRICT_SELF = 444, 445, 446
_LANDLOCK_CREATE_RULESET_VERSION, _LANDLOCK_RULE_PATH_BENEATH = 1, 1
_SYS_SETRESUID = {"x86_64": 117, "aarch64": 147}
_MACHINES = frozenset(_SYS_SETRESUID)

#: Of `signal`, without the enums that it makes of all it gives back: for those a fresh fork copies 80 pages.
set_handler, set_signal_mask = _signal.signal, _signal.pthread_sigmask
SIG_DFL, SIG_IGN = _signal.SIG_DFL, _signal.SIG_IGN

_libc = ctypes.CDLL(None, use_errno=True)
_raw_syscall = ctypes.PyDLL(None, use_errno=True).syscall  # keeps the GIL: the child must own it
_raw_syscall.restype = ctypes.c_long
_libc.mount.argtypes = (*(ctypes.c_char_p,) * 3, ctypes.c_ulong, ctypes.c_char_p)


class _CloneArgs(ctypes.Structure):
    """struct clone_args, first version with `set_tid` and `cgroup` (Linux 5.7)."""

    _fields_ = tuple(
        (name, ctypes.c_uint64)
        for name in (
            *("flags", "pidfd", "child_tid", "parent_tid", "exit_signal", "stack", "stack_size", "tls"),
            *("set_tid", "set_tid_size", "cgroup"),
        )
    )


@dataclass(frozen=True, slots=True)
class Child:
    """A process just forked, as its parent sees it. `pidfd` is close-on-exec and the caller's to close."""

    pid: int
    pidfd: int


def clone_process(namespaces: int = 0, cgroup_fd: int | None = None) -> Child | None:
    """Fork with these namespaces and a pidfd in one step; None in the child.

    `cgroup_fd`: the folder of a cgroup (version 2) to be born in. That costs nothing, where a process that moves
    there later waits 11-15 ms for a grace period of the kernel.

    Call it only in a process with one thread. Unlike `os.fork` no atfork handler runs, of C or of Python: they make
    new locks for those that other threads held, and there are no other threads. (They also touch 170 pages, each of
    which would be copied.) So generators of random numbers go on as in the parent: see `preloading.reseed`.
    """
    pidfd = ctypes.c_int(-1)
    # As glibc's own fork does: its locks know their owners by the thread's id, which it keeps here.
    tid = _tid_address()
    flags = namespaces | CLONE_PIDFD | (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID if tid else 0)
    args = _CloneArgs(
        flags=flags | (0 if cgroup_fd is None else CLONE_INTO_CGROUP),
        pidfd=ctypes.addressof(pidfd),
        child_tid=tid,
        exit_signal=int(signal.SIGCHLD),
        cgroup=cgroup_fd or 0,
    )
    pid = _raw_syscall(_SYS_CLONE3, ctypes.byref(args), ctypes.sizeof(args))
    if pid == 0:
        return None
    if pid > 0:
        return Child(pid, pidfd.value)
    number = ctypes.get_errno()
    if number in (errno.ENOSYS, errno.EPERM) and not namespaces and cgroup_fd is None:
        return fork()  # a seccomp profile of a container denies clone3, whose flags it can't see
    raise OSError(number, os.strerror(number))


def fork(cgroup_fd: int | None = None) -> Child | None:
    """`os.fork` with a pidfd, atfork handlers and all. Nobody else may reap the caller's children meanwhile.

    Into a cgroup (see `clone_process`) the atfork handlers of Python run, those of C libraries don't.
    """
    if cgroup_fd is not None:
        return _fork_into(cgroup_fd)
    pid = os.fork()
    return None if pid == 0 else Child(pid, os.pidfd_open(pid))


def _fork_into(cgroup_fd: int) -> Child | None:
    ctypes.pythonapi.PyOS_BeforeFork()
    try:
        child = clone_process(0, cgroup_fd)
    except OSError:
        ctypes.pythonapi.PyOS_AfterFork_Parent()
        raise
    if child is None:
        ctypes.pythonapi.PyOS_AfterFork_Child()
    else:
        ctypes.pythonapi.PyOS_AfterFork_Parent()
    return child


def _tid_address() -> int:
    """Where glibc keeps the id of the calling thread; 0 if the kernel does not tell (CONFIG_CHECKPOINT_RESTORE)."""
    address = ctypes.c_void_p()
    return (
        (address.value or 0) if _libc.prctl(_PR_GET_TID_ADDRESS, ctypes.byref(address), 0, 0, 0) == 0 else 0
    )


def map_own_ids(uid: int, gid: int) -> None:
    """In a new user namespace: be `uid` and `gid` inside too. Needs to be dumpable (user_namespaces(7))."""
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def set_dumpable(dumpable: bool) -> None:
    """Whether others of this uid may read this process's memory, environment and descriptors."""
    _prctl(_PR_SET_DUMPABLE, int(dumpable))


def set_no_new_privileges() -> None:
    """No exec of this process or its children gains privileges, for ever."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def become_subreaper() -> None:
    """Orphans among the descendants become children of this process. Raises OSError where a filter denies it."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def set_user_ids(real: int, effective: int, saved: int) -> None:
    """setresuid(2) for the calling thread alone, where that of `os` asks all threads of the process to follow."""
    _check(_raw_syscall(_SYS_SETRESUID[os.uname().machine], real, effective, saved))


def die_with_parent(parent_pid: int | None = None, signal_number: int = signal.SIGKILL) -> None:
    """Be killed when the parent's main thread ends. Cleared by a change of uid (prctl(2)): call it after.

    With `parent_pid`, ends this process at once if that parent is gone already.
    """
    _prctl(_PR_SET_PDEATHSIG, signal_number)
    if parent_pid is not None and os.getppid() != parent_pid:
        os._exit(1)


def unshare(namespaces: int) -> None:
    """Leave these namespaces for new ones, which only this process and its children are in (unshare(2))."""
    _check(_libc.unshare(namespaces))


def mount(
    source: bytes | None, target: bytes, kind: bytes | None, flags: int, data: bytes | None = None
) -> None:
    """mount(2). The error names the target."""
    if _libc.mount(source, target, kind, flags, data) != 0:
        raise _error(target)


def change_root(mounted: bytes) -> None:
    """Have this mount, which is the current folder, for root, above the old one.

    As switch_root(8) does: who has not CAP_SYS_CHROOT, CAP_SYS_ADMIN or a descriptor from before never finds back.
    pivot_root(2) could put the old root away altogether, at the price of a grace period of the kernel's (0.2-2 ms).
    """
    mount(mounted, b"/", None, _MS_MOVE)
    os.chroot(mounted)


def restrict_mounts(target: bytes, flags: int) -> None:
    """Add MS_RDONLY, MS_NOSUID, MS_NODEV or MS_NOEXEC to this mount and all below it (mount_setattr(2))."""
    attributes = struct.pack(
        "=4Q", flags, 0, 0, 0
    )  # the numbers of MOUNT_ATTR_* are those of MS_* for these four
    if _raw_syscall(_SYS_MOUNT_SETATTR, _AT_FDCWD, target, _AT_RECURSIVE, attributes, len(attributes)) != 0:
        raise _error(target)


def landlock_abi() -> int:
    """Which version of landlock(7) there is. Raises OSError: ENOSYS not built in, EOPNOTSUPP switched off."""
    return _positive(_raw_syscall(_SYS_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_CREATE_RULESET_VERSION))


def landlock_ruleset(attributes: bytes) -> int:
    """A descriptor of a new ruleset, made of a `struct landlock_ruleset_attr`."""
    return _positive(_raw_syscall(_SYS_LANDLOCK_CREATE_RULESET, attributes, len(attributes), 0))


def landlock_allow(ruleset: int, rule: bytes) -> None:
    """Add a `struct landlock_path_beneath_attr`."""
    _positive(_raw_syscall(_SYS_LANDLOCK_ADD_RULE, ruleset, _LANDLOCK_RULE_PATH_BENEATH, rule, 0))


def landlock_restrict(ruleset: int) -> None:
    """Hold this thread and all that it will fork to the ruleset. Needs `no_new_privs`."""
    _positive(_raw_syscall(_SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0))


def bound_capabilities() -> None:
    """Let nothing that this process or its children execute gain a capability, for ever (capabilities(7))."""
    for capability in range(64):
        if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break  # EINVAL: that was the last; EPERM: an ordinary user, or done already


def drop_capabilities() -> None:
    """Have none of root's powers any more, in any set, for ever: whatever uid this process has."""
    bound_capabilities()
    _check(_libc.capset(_CAPABILITY_VERSION_3, _NO_CAPABILITIES))


class SystemCallFilter:
    """A program of `seccomp`, ready for the kernel. Made once, before the fork."""

    def __init__(self, program: bytes) -> None:
        self._instructions = ctypes.create_string_buffer(program, len(program))
        self._program = struct.pack("@HP", len(program) // 8, ctypes.addressof(self._instructions))

    def apply(self) -> None:
        """Filter what this thread and all that it will fork may ask of the kernel. Needs `no_new_privs`."""
        _check(_libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, self._program, 0, 0))


def read_small(path: str) -> bytes:
    """A file of /proc that is short. Not by `open`: a warden would copy 40 pages of its machinery to use it once."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 4096)
    finally:
        os.close(descriptor)


def write_small(path: str, text: bytes) -> None:
    """As `read_small`, into a file that is there."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text)
    finally:
        os.close(descriptor)


def supported() -> str | None:
    """None on a platform that runward knows, else why not."""
    if platform.system() != "Linux":
        return f"runward needs Linux, this is {platform.system()}"
    if platform.machine() not in _MACHINES:
        return f"runward knows x86_64 and aarch64, this is {platform.machine()}"
    return None


def _prctl(option: int, value: int) -> None:
    _check(_libc.prctl(option, value, 0, 0, 0))


def _check(result: int) -> None:
    if result != 0:
        raise _error()


def _positive(result: int) -> int:
    if result < 0:
        raise _error()
    return result


def _error(path: bytes | None = None) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), *([] if path is None else [os.fsdecode(path)]))
