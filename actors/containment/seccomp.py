"""Which system calls an agent may make, as a program for the kernel (seccomp(2), BPF). Pure: makes bytes.

A deny list: an agent is any program, and what it may touch is the business of the other walls. Refused is what opens
new ground to attack the kernel from, what reaches into other processes, and what could take a wall away again.
Only numbers that the kernel itself reads as 32 bits are tested, so the upper halves of arguments say nothing.
"""

import errno
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .system_calls import NUMBERS


class Test(NamedTuple):
    """What one argument must be for a rule to apply: any of `bits` set, or equal to `value`, or unequal."""

    argument: int
    bits: int = 0
    value: int = 0
    unequal: bool = False


class Rule(NamedTuple):
    """Refuse with `error` when all `tests` apply; several rules for one call are tried in their order."""

    error: int
    tests: tuple[Test, ...] = ()


class Shape(NamedTuple):
    """What the other walls are, which decides what this one must do.

    `alone`: the agent's processes and its warden, pid 1, are all that it can name. `internet`, `unix`: whether it
    may make sockets of these kinds; where namespaces hold it, it may. `lasting_files`: some of what it writes is
    on a disk of the host, where a setuid file would be one.
    """

    machine: str
    alone: bool
    internet: bool
    unix: bool
    lasting_files: bool


_REFUSED = (
    # namespaces and mounts, old and new: they could show again what is out of sight
    *("unshare", "setns", "mount", "umount2", "pivot_root", "chroot"),
    *(
        "open_tree",
        "open_tree_attr",
        "move_mount",
        "fsopen",
        "fsconfig",
        "fsmount",
        "fspick",
        "mount_setattr",
    ),
    *("open_by_handle_at", "quotactl", "quotactl_fd", "swapon", "swapoff", "acct"),
    # other processes
    *("ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "kcmp"),
    *("process_madvise", "process_mrelease", "migrate_pages", "move_pages"),
    # the kernel itself, and the ways into it that most of its holes were found in
    *("bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register"),
    *("init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load"),
    *("keyctl", "add_key", "request_key"),  # the session keyring is the server's
    *("fanotify_init", "modify_ldt", "iopl", "ioperm", "uselib"),
    # the machine
    *("reboot", "syslog", "settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "vhangup"),
    *("sethostname", "setdomainname"),
)
_NEW_NAMESPACE = 0x7E020000  # CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET (clone(2))
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C  # put input into a terminal that another program reads (ioctl_tty(2))
_SETS_ID = 0o6000  # S_ISUID, S_ISGID
_CREATES = 0o100 | 0o20000000  # O_CREAT, O_TMPFILE: only with these is there a mode (open(2))
_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16
_WARDEN = 1  # the pid of an agent's warden in their own pid namespace
_PRIO_USER, _IOPRIO_WHO_USER = 2, 3

# linux/audit.h
_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000  # the bit in the numbers of x86_64's second ABI

# linux/bpf_common.h, linux/seccomp.h
_LOAD, _RETURN, _JUMP = 0x20, 0x06, 0x05
_IF_EQUAL, _IF_AT_LEAST, _IF_BITS = 0x15, 0x35, 0x45
_ALLOW, _ERRNO, _KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
_OFFSET_NUMBER, _OFFSET_ARCHITECTURE, _OFFSET_ARGUMENTS = 0, 4, 16

ALLOWING = struct.pack("=HBBI", _RETURN, 0, 0, _ALLOW)  # refuses nothing
Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, k


def program(shape: Shape) -> bytes:
    """The filter, as the instructions of `struct sock_filter`. KeyError: a machine that is not known."""
    numbers = NUMBERS[shape.machine]
    by_number = {numbers[name]: rules for name, rules in table(shape).items() if name in numbers}
    steps: list[Instruction] = [
        (_LOAD, 0, 0, _OFFSET_ARCHITECTURE),
        (_IF_EQUAL, 1, 0, _ARCHITECTURE[shape.machine]),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, _OFFSET_NUMBER),
    ]
    if shape.machine == "x86_64":
        steps += [(_IF_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
    steps += _search(sorted(by_number.items()))
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def table(shape: Shape) -> dict[str, tuple[Rule, ...]]:
    """What is refused, by the name of the system call."""
    refused = Rule(errno.EPERM)
    rules: dict[str, tuple[Rule, ...]] = dict.fromkeys(_REFUSED, (refused,))
    rules["clone"] = (Rule(errno.EPERM, (Test(0, bits=_NEW_NAMESPACE),)),)
    rules["clone3"] = (Rule(errno.ENOSYS),)  # its flags are in memory, unseen here; libc then uses clone
    rules["ioctl"] = tuple(Rule(errno.EPERM, (Test(1, value=request),)) for request in (_TIOCSTI, _TIOCLINUX))
    rules["socket"] = tuple(_sockets(shape))
    rules |= _about_processes(shape.alone)
    if shape.lasting_files:
        rules |= _about_modes()
    return rules


def _sockets(shape: Shape) -> Iterator[Rule]:
    """Of the families only those that programs use: the others are where the kernel's holes are."""
    for family, allowed in ((_AF_UNIX, shape.unix), (_AF_INET, shape.internet), (_AF_INET6, shape.internet)):
        if not allowed:
            yield Rule(errno.EACCES, (Test(0, value=family),))
    known = (_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK)
    yield Rule(errno.EAFNOSUPPORT, tuple(Test(0, value=family, unequal=True) for family in known))
    # Of netlink, NETLINK_ROUTE: libc asks it for the machine's addresses.
    yield Rule(errno.EPROTONOSUPPORT, (Test(0, value=_AF_NETLINK), Test(2, value=0, unequal=True)))


def _about_processes(alone: bool) -> dict[str, tuple[Rule, ...]]:
    """Limits and priorities of others. Threads have pids of their own here, so who can only harm its warden by it
    is refused only that."""

    def others(argument: int) -> Rule:
        harmed = Test(argument, value=_WARDEN) if alone else Test(argument, value=0, unequal=True)
        return Rule(errno.EPERM, (harmed,))

    scheduling = ("sched_setaffinity", "sched_setparam", "sched_setscheduler", "sched_setattr")
    return {
        "prlimit64": (Rule(errno.EPERM, (Test(0, value=0, unequal=True),)),),
        "setpriority": (others(1), Rule(errno.EPERM, (Test(0, value=_PRIO_USER),))),
        "ioprio_set": (others(1), Rule(errno.EPERM, (Test(0, value=_IOPRIO_WHO_USER),))),
        **{name: (others(0),) for name in scheduling},
    }


def _about_modes() -> dict[str, tuple[Rule, ...]]:
    """No setuid and no setgid file (as systemd's RestrictSUIDSGID)."""

    def mode(argument: int) -> tuple[Rule, ...]:
        return (Rule(errno.EPERM, (Test(argument, bits=_SETS_ID),)),)

    def created(flags: int) -> tuple[Rule, ...]:
        return (Rule(errno.EPERM, (Test(flags, bits=_CREATES), Test(flags + 1, bits=_SETS_ID))),)

    return {
        "chmod": mode(1),
        "fchmod": mode(1),
        "fchmodat": mode(2),
        "fchmodat2": mode(2),
        "creat": mode(1),
        "mknod": mode(1),
        "mknodat": mode(2),
        "open": created(1),
        "openat": created(2),
        "openat2": (Rule(errno.ENOSYS),),  # its mode is in memory; who calls it can do without
    }


def _search(entries: Sequence[tuple[int, tuple[Rule, ...]]]) -> list[Instruction]:
    """Find the number by halves: most calls are refused nothing, and each pays for the way to that answer."""
    if not entries:
        return [(_RETURN, 0, 0, _ALLOW)]
    if len(entries) == 1:
        number, rules = entries[0]
        found = _judge(rules)
        return [(_IF_EQUAL, 0, len(found), number), *found, (_RETURN, 0, 0, _ALLOW)]
    half = len(entries) // 2
    below, above = _search(entries[:half]), _search(entries[half:])
    # A conditional jump reaches 255 instructions, the other kind any number.
    return [(_IF_AT_LEAST, 0, 1, entries[half][0]), (_JUMP, 0, 0, len(below)), *below, *above]


def _judge(rules: Sequence[Rule]) -> list[Instruction]:
    """Try one rule after the other; what comes back allows, or has returned. Shorter than 255 instructions."""
    steps: list[Instruction] = []
    for rule in rules:
        refuse: list[Instruction] = [(_RETURN, 0, 0, _ERRNO | rule.error)]
        for test in reversed(rule.tests):
            refuse = [*_test(test, len(refuse)), *refuse]
        steps += refuse
    return steps if rules[-1].tests == () else [*steps, (_RETURN, 0, 0, _ALLOW)]


def _test(test: Test, otherwise: int) -> list[Instruction]:
    """Go on if it applies, else skip `otherwise` instructions."""
    load = (_LOAD, 0, 0, _OFFSET_ARGUMENTS + 8 * test.argument)  # little endian: the low half comes first
    if test.bits:
        return [load, (_IF_BITS, 0, otherwise, test.bits)]
    return [
        load,
        (_IF_EQUAL, otherwise, 0, test.value) if test.unequal else (_IF_EQUAL, 0, otherwise, test.value),
    ]
