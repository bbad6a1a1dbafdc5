"""The filter as a program: what it answers to a call, by an interpreter of the few instructions in it."""

import errno
import struct
from dataclasses import dataclass

import pytest

from runward.actors.containment.seccomp import Shape, program, table
from runward.actors.containment.system_calls import NUMBERS

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
MACHINES = sorted(ARCHITECTURES)
KILLED, ALLOWED = "killed", "allowed"
CLONE_NEWUSER, CLONE_THREAD = 0x10000000, 0x00010000


def shape(machine: str, **different: bool) -> Shape:
    plain = {"alone": True, "internet": True, "unix": True, "lasting_files": False}
    return Shape(machine, **{**plain, **different})


@dataclass
class Kernel:
    """Runs filters as linux/filter.h says."""

    machine: str
    filter: bytes

    def answer(self, name: str, *arguments: int) -> str:
        return self.answer_number(NUMBERS[self.machine][name], *arguments)

    def answer_number(self, number: int, *arguments: int, architecture: int | None = None) -> str:
        padded = (*arguments, *(0,) * 6)[:6]
        where = ARCHITECTURES[self.machine] if architecture is None else architecture
        return _run(self.filter, struct.pack("=IIQ6Q", number, where, 0, *(each % 2**64 for each in padded)))


def _run(filter_: bytes, data: bytes) -> str:
    steps = list(struct.iter_unpack("=HBBI", filter_))
    at = accumulator = 0
    while True:
        code, if_true, if_false, k = steps[at]
        at += 1
        match code:
            case 0x20:
                assert k % 4 == 0, "the kernel wants loads aligned"
                assert k <= len(data) - 4
                (accumulator,) = struct.unpack_from("=I", data, k)
            case 0x05:
                at += k
            case 0x15 | 0x35 | 0x45:
                holds = {0x15: accumulator == k, 0x35: accumulator >= k, 0x45: accumulator & k != 0}[code]
                at += if_true if holds else if_false
            case 0x06:
                return _meaning(k)
            case _:
                raise AssertionError(f"no instruction that we use: {code:#x}")


def _meaning(answer: int) -> str:
    match answer & 0xFFFF0000:
        case 0x7FFF0000:
            return ALLOWED
        case 0x80000000:
            return KILLED
        case 0x00050000:
            return errno.errorcode[answer & 0xFFFF]
    raise AssertionError(f"no answer that we use: {answer:#x}")


def kernel(machine: str, **different: bool) -> Kernel:
    return Kernel(machine, program(shape(machine, **different)))


every_machine = pytest.mark.parametrize("machine", MACHINES)


# ── what is refused ─────────────────────────────────────────────────────────────────────────────

NAMESPACES = ("unshare", "setns", "mount", "umount2", "pivot_root", "chroot")
NEW_MOUNTS = ("open_tree", "open_tree_attr", "move_mount", "fsopen", "fsconfig", "fsmount", "fspick")
PROCESSES = ("ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "process_madvise")
KERNEL = ("bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "init_module", "finit_module")
KEYS = ("keyctl", "add_key", "request_key")
MACHINE_WIDE = ("kexec_load", "kexec_file_load", "reboot", "swapon", "open_by_handle_at", "mount_setattr")
REFUSED = (*NAMESPACES, *NEW_MOUNTS, *PROCESSES, *KERNEL, *KEYS, *MACHINE_WIDE)


@every_machine
@pytest.mark.parametrize("name", REFUSED)
def test_these_are_refused_whatever_their_arguments(machine: str, name: str) -> None:
    for arguments in ((), (1, 2, 3, 4, 5, 6), (2**64 - 1,) * 6):
        assert kernel(machine).answer(name, *arguments) == "EPERM"


@every_machine
def test_clone_may_make_processes_and_threads_but_no_namespace(machine: str) -> None:
    held = kernel(machine)
    assert held.answer("clone", 17) == ALLOWED
    assert held.answer("clone", CLONE_THREAD | 0x3D0F00) == ALLOWED
    for bit in (
        17,
        25,
        26,
        27,
        28,
        29,
        30,
    ):  # CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
        assert held.answer("clone", 17 | 1 << bit) == "EPERM"


@every_machine
def test_clone3_is_not_there_so_that_libc_takes_clone(machine: str) -> None:
    assert kernel(machine).answer("clone3", 1, 2) == "ENOSYS"


@every_machine
def test_limits_may_be_set_for_oneself_alone(machine: str) -> None:
    held = kernel(machine)
    assert held.answer("prlimit64", 0, 7) == ALLOWED
    assert held.answer("prlimit64", 1, 7) == held.answer("prlimit64", 4000, 7) == "EPERM"


SCHEDULING = ("sched_setaffinity", "sched_setparam", "sched_setscheduler", "sched_setattr")


@every_machine
@pytest.mark.parametrize("name", SCHEDULING)
def test_in_a_pid_namespace_only_the_warden_is_out_of_reach(machine: str, name: str) -> None:
    assert [kernel(machine).answer(name, pid) for pid in (0, 1, 2, 77)] == [
        ALLOWED,
        "EPERM",
        ALLOWED,
        ALLOWED,
    ]


@every_machine
@pytest.mark.parametrize("name", SCHEDULING)
def test_elsewhere_everybody_else_is(machine: str, name: str) -> None:
    held = kernel(machine, alone=False)
    assert [held.answer(name, pid) for pid in (0, 1, 2, 77)] == [ALLOWED, "EPERM", "EPERM", "EPERM"]


@every_machine
@pytest.mark.parametrize(("name", "user"), [("setpriority", 2), ("ioprio_set", 3)])
def test_priorities_are_not_set_for_others_nor_for_a_whole_user(machine: str, name: str, user: int) -> None:
    alone, among = kernel(machine), kernel(machine, alone=False)
    assert (alone.answer(name, 0, 0), alone.answer(name, 0, 1)) == (ALLOWED, "EPERM")
    assert (among.answer(name, 0, 0), among.answer(name, 0, 77)) == (ALLOWED, "EPERM")
    assert alone.answer(name, user, 0) == among.answer(name, user, 0) == "EPERM"


@every_machine
def test_no_input_is_put_into_a_terminal(machine: str) -> None:
    held = kernel(machine)
    assert held.answer("ioctl", 0, 0x5412) == held.answer("ioctl", 0, 0x541C) == "EPERM"
    assert held.answer("ioctl", 0, 0xFFFFFFFF_00005412) == "EPERM"  # the kernel reads 32 bits of it
    assert held.answer("ioctl", 0, 0x5413) == ALLOWED


# ── sockets ─────────────────────────────────────────────────────────────────────────────────────

UNIX, INET, INET6, NETLINK = 1, 2, 10, 16


@every_machine
@pytest.mark.parametrize("internet", [True, False])
@pytest.mark.parametrize("unix", [True, False])
def test_sockets_are_of_the_kinds_that_are_allowed(machine: str, internet: bool, unix: bool) -> None:
    held = kernel(machine, internet=internet, unix=unix)
    allowed = {True: ALLOWED, False: "EACCES"}
    assert [held.answer("socket", family, 1) for family in (UNIX, INET, INET6)] == [
        *(allowed[unix], allowed[internet], allowed[internet])
    ]


@every_machine
def test_no_other_family_is_there_and_of_netlink_only_the_routes(machine: str) -> None:
    held = kernel(machine)
    known = (UNIX, INET, INET6, NETLINK)
    assert {held.answer("socket", family, 1) for family in range(64) if family not in known} == {
        "EAFNOSUPPORT"
    }
    assert held.answer("socket", NETLINK, 3, 0) == ALLOWED
    assert {held.answer("socket", NETLINK, 3, protocol) for protocol in range(1, 32)} == {"EPROTONOSUPPORT"}


# ── files ───────────────────────────────────────────────────────────────────────────────────────

MODES = [("fchmod", 1), ("fchmodat", 2), ("fchmodat2", 2), ("mknodat", 2)]
X86_MODES = [("chmod", 1), ("creat", 1), ("mknod", 1)]


def with_mode(place: int, mode: int) -> list[int]:
    return [*([0] * place), mode]


@pytest.mark.parametrize(
    ("machine", "name", "place"),
    [(machine, *each) for machine in MACHINES for each in MODES] + [("x86_64", *each) for each in X86_MODES],
)
def test_where_files_last_no_mode_may_lend_an_identity(machine: str, name: str, place: int) -> None:
    held = kernel(machine, lasting_files=True)
    assert held.answer(name, *with_mode(place, 0o755)) == ALLOWED
    assert (
        held.answer(name, *with_mode(place, 0o4755))
        == held.answer(name, *with_mode(place, 0o2755))
        == "EPERM"
    )
    assert kernel(machine).answer(name, *with_mode(place, 0o4755)) == ALLOWED


@pytest.mark.parametrize(
    ("machine", "name", "place"), [*((m, "openat", 2) for m in MACHINES), ("x86_64", "open", 1)]
)
def test_a_file_is_not_born_with_such_a_mode(machine: str, name: str, place: int) -> None:
    held = kernel(machine, lasting_files=True)
    create, temporary = 0o100, 0o20000000
    for flags in (create, temporary):
        assert held.answer(name, *with_mode(place, flags), 0o4755) == "EPERM"
        assert held.answer(name, *with_mode(place, flags), 0o644) == ALLOWED
    assert held.answer(name, *with_mode(place, 0), 0o4755) == ALLOWED  # whatever is in the register: no mode


@every_machine
def test_openat2_hides_its_mode_and_so_is_not_there_where_files_last(machine: str) -> None:
    assert kernel(machine, lasting_files=True).answer("openat2") == "ENOSYS"
    assert kernel(machine).answer("openat2") == ALLOWED


# ── all others ──────────────────────────────────────────────────────────────────────────────────


@every_machine
@pytest.mark.parametrize(
    "different", [{}, {"alone": False, "internet": False, "unix": False, "lasting_files": True}]
)
def test_no_call_is_refused_that_the_table_does_not_name(machine: str, different: dict[str, bool]) -> None:
    held = kernel(machine, **different)
    named = {
        NUMBERS[machine][name] for name in table(shape(machine, **different)) if name in NUMBERS[machine]
    }
    others = [number for number in range(700) if number not in named]
    assert {held.answer_number(number, *(2**64 - 1,) * 6) for number in others} == {ALLOWED}


@every_machine
def test_a_program_of_another_architecture_is_ended(machine: str) -> None:
    i386, other = 0x40000003, ARCHITECTURES[MACHINES[MACHINES.index(machine) - 1]]
    assert {kernel(machine).answer_number(1, architecture=each) for each in (i386, other, 0)} == {KILLED}


def test_the_second_abi_of_x86_64_is_not_there() -> None:
    held = kernel("x86_64")
    assert {held.answer_number(0x40000000 | number) for number in (0, 1, 59, 520)} == {"ENOSYS"}
    assert held.answer_number(0xFFFFFFFF) == "ENOSYS"


@every_machine
def test_every_name_in_the_table_has_a_number_on_some_machine(machine: str) -> None:
    known = {name for numbers in NUMBERS.values() for name in numbers}
    assert set(table(shape(machine, lasting_files=True))) <= known
    assert len(set(NUMBERS[machine].values())) == len(NUMBERS[machine])


@every_machine
def test_it_is_short_enough_for_the_kernel(machine: str) -> None:
    longest = kernel(machine, alone=False, internet=False, unix=False, lasting_files=True)
    assert len(longest.filter) // 8 < 4096  # BPF_MAXINSNS
