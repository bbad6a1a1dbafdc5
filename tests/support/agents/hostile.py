"""An agent that tries what it may not, and tells what came of each try: "done", or the name of the errno.

Each deed is harmless should it succeed: it names what is not there, or what is its own.
"""

import ctypes
import os
import platform
import socket
import stat
import subprocess
from collections.abc import Callable
from errno import EEXIST, errorcode
from functools import partial
from pathlib import Path

from runward.actors.containment.system_calls import NUMBERS
from runward.actors.run import Run

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_NUMBERS = NUMBERS[platform.machine()]
_CLONE_NEWUSER = 0x10000000
_SIGCHLD = 17


def attempt(text: str, run: Run) -> dict[str, str]:
    """The deeds that the input names, one after the other."""
    return outcomes(text.split())


def outcomes(names: list[str]) -> dict[str, str]:
    """What came of each; "deed:argument" for those that take one."""
    return {name: outcome(_deed(name)) for name in names}


def _where() -> str:
    """The current folder, HOME and TMPDIR."""
    return f"{os.getcwd()} {os.environ['HOME']} {os.environ['TMPDIR']}"


def _deed(name: str) -> Callable[[], object]:
    what, colon, argument = name.partition(":")
    return partial(WITH_ARGUMENT[what], argument) if colon else DEEDS[what]


def outcome(deed: Callable[[], object]) -> str:
    """What the deed tells, if that is text, else "done"; or the name of the errno that it raised."""
    try:
        told = deed()
    except OSError as error:
        return errorcode.get(error.errno or 0, str(error))
    return told if isinstance(told, str) else "done"


def call(name: str, *arguments: object) -> int:
    """The system call of this name, by its number, with no library between. Raises OSError."""
    result = int(_libc.syscall(_NUMBERS[name], *arguments))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _clone_namespace() -> None:
    if call("clone", ctypes.c_ulong(_CLONE_NEWUSER | _SIGCHLD), 0, 0, 0, 0) == 0:
        os._exit(0)
    os.wait()


def _fork() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def _in_a_child(deed: Callable[[], object]) -> Callable[[], None]:
    """Done by a child of the agent's, which must not be freer than the agent."""

    def work() -> None:
        pid = os.fork()
        if pid == 0:
            try:
                deed()
            except OSError as error:
                os._exit(error.errno or 255)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if code:
            raise OSError(code, os.strerror(code))

    return work


def _setuid_file() -> None:
    with open("mine", "w"):
        os.chmod("mine", 0o4755)
    assert os.stat("mine").st_mode & stat.S_ISUID


def _setuid_file_at_once() -> None:
    os.close(os.open("born", os.O_CREAT | os.O_WRONLY, 0o4755))


def _netlink_of_the_firewall() -> None:
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12).close()  # NETLINK_NETFILTER


def _socketpair() -> None:
    for end in socket.socketpair():
        end.close()


def _chmod() -> None:
    with open("plain", "w"):
        os.chmod("plain", 0o755)


def _socket(family: int, kind: int = socket.SOCK_STREAM) -> Callable[[], None]:
    return lambda: socket.socket(family, kind).close()


def _write(path: str) -> None:
    with open(path, "ab") as file:
        file.write(b"x")


def _fill(folder: str) -> None:
    """With 2 MiB more than the 16 that it may have; and then it is empty again."""
    try:
        with open(f"{folder}/filler", "wb") as file:
            for _ in range(18):
                file.write(bytes(1 << 20))
                file.flush()
    finally:
        os.unlink(f"{folder}/filler")


def _fill_with_files(folder: str) -> None:
    count = 0
    try:
        for count in range(20_000):
            os.close(os.open(f"{folder}/{count}", os.O_CREAT | os.O_WRONLY))
    finally:
        for number in range(count):
            os.unlink(f"{folder}/{number}")


def _connect(address: str) -> None:
    host, _, port = address.rpartition(":")
    socket.create_connection((host, int(port)), 2).close()


def _connect_unix(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as near:
        near.connect(path)


def _talk_over_loopback() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as near,
    ):
        far, _ = server.accept()
        far.close()
        near.close()


def _read_of_the_warden(name: str) -> None:
    path = f"/proc/{os.getppid()}/{name}"
    if os.path.islink(path):
        os.readlink(path)
    else:
        Path(path).read_bytes()


def _only_own_processes() -> None:
    """Of all in /proc none is anybody else's than this run's: the warden is pid 1, and everybody else below it."""
    own = os.getpid()
    strangers = [pid for pid in os.listdir("/proc") if pid.isdecimal() and int(pid) not in (1, own)]
    if strangers:
        raise OSError(EEXIST, f"there are {strangers}")


def _numpy_in_threads() -> None:
    """Imported behind the walls, with its pool of threads."""
    os.environ["OPENBLAS_NUM_THREADS"] = "2"
    import numpy

    square = numpy.ones((600, 600))
    assert (square @ square)[0, 0] == 600
    assert len(os.listdir("/proc/self/task")) > 2  # with the one that listens to the warden


def _processes_in_a_pool() -> None:
    import multiprocessing

    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(abs, [-1, 2]) == [1, 2]


def _terminal() -> None:
    near, far = os.openpty()
    os.close(near)
    os.close(far)


WITH_ARGUMENT: dict[str, Callable[[str], object]] = {
    "read": lambda path: Path(path).read_bytes(),
    "list": os.listdir,
    "stat": os.stat,
    "follow": lambda path: os.readlink(path) and None,
    "size": lambda path: str(len(Path(path).read_bytes())),
    "signal": lambda pid: os.kill(int(pid), 0),
    "of_the_warden": _read_of_the_warden,
    "write": _write,
    "chmod": lambda path: os.chmod(path, os.stat(path).st_mode & 0o777),
    "touch": os.utime,
    "remove": os.unlink,
    "enter": os.chdir,
    "fill": _fill,
    "fill_with_files": _fill_with_files,
    "connect": _connect,
    "connect_unix": _connect_unix,
    "run": lambda program: subprocess.run([program], check=True, capture_output=True),
}
DEEDS: dict[str, Callable[[], object]] = {
    "where": _where,
    "who": lambda: f"{os.getuid()} {os.getgid()} {len(os.getgroups())} {os.environ.get('USER', '-')}",
    # namespaces and mounts
    "unshare": lambda: call("unshare", _CLONE_NEWUSER),
    "clone_namespace": _clone_namespace,
    "clone3": lambda: call("clone3", None, 0),
    "setns": lambda: call("setns", -1, 0),
    "mount": lambda: call("mount", b"none", b"/nowhere", b"tmpfs", 0, None),
    "umount": lambda: call("umount2", b"/nowhere", 0),
    "pivot_root": lambda: call("pivot_root", b"/nowhere", b"/nowhere"),
    "chroot": lambda: os.chroot("/nowhere"),
    "open_tree": lambda: call("open_tree", -1, b"/nowhere", 0),
    "move_mount": lambda: call("move_mount", -1, b"", -1, b"", 0),
    "fsopen": lambda: call("fsopen", b"tmpfs", 0),
    "fsmount": lambda: call("fsmount", -1, 0, 0),
    "mount_setattr": lambda: call("mount_setattr", -1, b"/nowhere", 0, None, 0),
    "open_by_handle": lambda: call("open_by_handle_at", -1, None, 0),
    # other processes
    "ptrace": lambda: call("ptrace", 0, 0, 0, 0),  # PTRACE_TRACEME
    "ptrace_in_a_child": _in_a_child(lambda: call("ptrace", 0, 0, 0, 0)),
    "read_memory": lambda: call("process_vm_readv", 1, None, 0, None, 0, 0),
    "write_memory": lambda: call("process_vm_writev", 1, None, 0, None, 0, 0),
    "take_descriptor": lambda: call("pidfd_getfd", -1, 0, 0),
    "limit_the_warden": lambda: call("prlimit64", os.getppid(), 0, None, None),
    "renice_the_warden": lambda: os.setpriority(os.PRIO_PROCESS, os.getppid(), 19),
    "renice_all_of_the_user": lambda: os.setpriority(os.PRIO_USER, 0, 19),
    "pin_the_warden": lambda: os.sched_setaffinity(os.getppid(), {0}),
    "idle_the_warden": lambda: os.sched_setscheduler(os.getppid(), os.SCHED_IDLE, os.sched_param(0)),
    # the kernel
    "bpf": lambda: call("bpf", 0, None, 0),
    "perf": lambda: call("perf_event_open", None, 0, 0, -1, 0),
    "userfaultfd": lambda: call("userfaultfd", 0),
    "io_uring": lambda: call("io_uring_setup", 1, None),
    "module": lambda: call("init_module", None, 0, b""),
    "kexec": lambda: call("kexec_load", 0, 0, None, 0),
    "keyring": lambda: call("keyctl", 0, -3, 0),  # KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING
    "add_key": lambda: call("add_key", b"user", b"x", b"x", 1, -3),
    "push_into_a_terminal": lambda: call("ioctl", 0, 0x5412, b"x"),
    # sockets
    "internet": _socket(socket.AF_INET),
    "internet6": _socket(socket.AF_INET6),
    "datagrams": _socket(socket.AF_INET, socket.SOCK_DGRAM),
    "unix": _socket(socket.AF_UNIX),
    "vsock": _socket(40),
    "crypto": _socket(38, socket.SOCK_SEQPACKET),
    "packets": _socket(17, socket.SOCK_RAW),
    "firewall": _netlink_of_the_firewall,
    # files
    "setuid": _setuid_file,
    "setuid_at_once": _setuid_file_at_once,
    # what must go on working
    "fork": _fork,
    "program": lambda: subprocess.run(["/bin/true"], check=True),
    "shell": lambda: subprocess.run("true | cat", shell=True, check=True),  # noqa: S602
    "own_limit": lambda: call("prlimit64", 0, 7, None, None),
    "own_priority": lambda: os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0)),
    "own_affinity": lambda: os.sched_setaffinity(0, os.sched_getaffinity(0)),
    "socketpair": _socketpair,
    "chmod": _chmod,
    "numpy": _numpy_in_threads,
    "pool": _processes_in_a_pool,
    "loopback": _talk_over_loopback,
    "terminal": _terminal,
    "only_own_processes": _only_own_processes,
}
