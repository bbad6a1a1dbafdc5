"""An agent that attacks: does the one deed that its input names, and claims what it got by it.

A deed returns what shows that it succeeded, or raises what stopped it. Each is harmless should it succeed: it takes
nothing that was not put there to be taken, and its traces are looked for and removed by the test.
"""

import ctypes
import json
import os
import platform
import signal
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from runward.actors.containment.system_calls import NUMBERS
from runward.actors.run import Run

MARK = "hostile-mark"
PATIENCE_S = 0.3
_RLIMIT_MSGQUEUE, _MARKED_LIMIT = 12, 4096
_PTRACE_SEIZE, _PTRACE_DETACH = 0x4206, 17
_CLONE_NEWUSER, _CLONE_NEWNS = 0x10000000, 0x20000

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long

Given = dict[str, Any]


def attack(text: str, run: Run) -> dict[str, Any]:
    """Do each, and claim."""
    return {title: _attempt({**given, "run": run}) for title, given in json.loads(text).items()}


def _attempt(given: Given) -> dict[str, Any]:
    try:
        return {"got": DEEDS[given["deed"]](given), "why": None}
    except Exception as error:  # noqa: BLE001  # whatever stopped it, it is the answer
        return {"got": None, "why": f"{type(error).__name__}: {error}"}


def _call(name: str, *arguments: object) -> int:
    result = int(_libc.syscall(NUMBERS[platform.machine()][name], *arguments))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _warden() -> int:
    """As the mounted /proc counts, which may be the host's."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("PPid:"):
            return int(line.split()[1])
    raise ProcessLookupError("no parent")


def _of(given: Given) -> int:
    """The process that it goes against."""
    return _warden() if given["victim"] == "warden" else int(given["victim"])


# ── secrets of others ─────────────────────────────────────────────────────────────────────────────────────────────


def reads_environment(given: Given) -> str:
    found = Path(f"/proc/{_of(given)}/environ").read_bytes()
    return _something(found.decode(errors="replace"))


def reads_memory(given: Given) -> str:
    pid = _of(given)
    first = Path(f"/proc/{pid}/maps").read_text().split("-", 1)[0]
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        memory.seek(int(first, 16))
        return _something(memory.read(16).hex())


def reads_memory_by_call(given: Given) -> str:
    class Vector(ctypes.Structure):
        _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))

    pid = _of(given)
    first = Path(f"/proc/{pid}/maps").read_text().split("-", 1)[0]
    into = ctypes.create_string_buffer(16)
    here, there = Vector(ctypes.addressof(into), 16), Vector(int(first, 16), 16)
    _call("process_vm_readv", pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
    return _something(into.raw.hex())


def reads_descriptors(given: Given) -> str:
    folder = f"/proc/{_of(given)}/fd"
    return _something(" ".join(os.readlink(f"{folder}/{name}") for name in os.listdir(folder)))


def takes_a_descriptor(given: Given) -> str:
    pidfd = os.pidfd_open(_of(given))
    return os.readlink(f"/proc/self/fd/{_call('pidfd_getfd', pidfd, 0, 0)}")


def reads_a_file(given: Given) -> str:
    return _something(Path(given["path"]).read_bytes()[:100].decode(errors="replace"))


def _something(found: str) -> str:
    if not found:
        raise LookupError("it is empty")
    return found


# ── harm to others ────────────────────────────────────────────────────────────────────────────────────────────────


def may_signal(given: Given) -> str:
    """Signal 0 is checked like any other, and hurts nobody (kill(2))."""
    os.kill(_of(given), 0)
    return "may"


def kills(given: Given) -> str:
    os.kill(_of(given), signal.SIGKILL)
    return "killed"


def kills_its_warden(_: Given) -> str:
    """As its own namespace counts. A warden that is killed takes this claim along."""
    os.kill(os.getppid(), signal.SIGKILL)
    raise ChildProcessError("it lives")


def stops_its_warden(_: Given) -> str:
    os.kill(os.getppid(), signal.SIGSTOP)
    raise ChildProcessError("it goes on")


def traces(given: Given) -> str:
    pid = _of(given)
    _call("ptrace", _PTRACE_SEIZE, pid, 0, 0)
    _call("ptrace", _PTRACE_DETACH, pid, 0, 0)
    return "traced"


def limits(given: Given) -> str:
    """Its soft limit of message queues, which nobody uses."""
    old = struct.pack("=QQ", 0, 0)
    _call("prlimit64", _of(given), _RLIMIT_MSGQUEUE, None, old)
    new = struct.pack("=QQ", _MARKED_LIMIT, struct.unpack("=QQ", old)[1])
    _call("prlimit64", _of(given), _RLIMIT_MSGQUEUE, new, None)
    return "limited"


def renices(given: Given) -> str:
    os.setpriority(os.PRIO_PROCESS, _of(given), 1)
    return "reniced"


def fills_every_descriptor(_: Given) -> None:
    """What it writes to may be all that it has to claim by."""
    for _round in range(20):
        for descriptor in range(1024):
            with suppress(OSError):
                os.set_blocking(descriptor, False)
                os.write(descriptor, os.urandom(4096) + b"\n")


# ── the runtime's mailboxes ───────────────────────────────────────────────────────────────────────────────────────


def connects_to_a_mailbox(given: Given) -> str:
    """Any socket below the runtime folder, or that the kernel lists."""
    paths = {str(path) for path in Path(given["runtime"]).rglob("*")}
    with suppress(OSError):
        paths |= {line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines() if "/" in line}
    for path in sorted(path for path in paths if path.startswith(given["runtime"])):
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as end:
            end.connect(path)
            return path
    raise LookupError(f"{len(paths)} paths, none takes it")


def is_answered_by_the_supervisor(given: Given) -> str:
    """As a warden speaks, with keys of its own making."""
    import zmq

    path = connects_to_a_mailbox(given)
    context = zmq.Context()
    try:
        end = context.socket(zmq.DEALER)
        end.linger = 0
        end.curve_publickey, end.curve_secretkey = zmq.curve_keypair()
        end.curve_serverkey = zmq.curve_keypair()[0]
        end.connect(f"ipc://{path}")
        for said in given["forged"]:
            end.send(said.encode(), zmq.DONTWAIT)
        if end.poll(int(PATIENCE_S * 1000)) == 0:
            raise TimeoutError("nobody answers")
        return repr(end.recv())
    finally:
        context.destroy(0)


def forges_events(given: Given) -> str:
    """On the only ways that it has, in the words of the runtime."""
    channel = vars(given["run"])["_channel"]
    lines = [
        {"event": "message.delta", "delta": MARK, "run_id": given["neighbour_run"], "seq": 2},
        {"event": "run.completed", "output": MARK, "run_id": given["neighbour_run"]},
        {"event": "run.completed", "output": MARK},
        {"event": "run.cancelled", "reason": MARK},
        {"event": "approval.request", "prompt": MARK},
    ]
    for descriptor in {vars(channel)["_up_fd"], vars(channel)["_socket"].fileno()}:
        for line in lines:
            os.write(descriptor, json.dumps(line).encode() + b"\n")
    return "said"


# ── its place ─────────────────────────────────────────────────────────────────────────────────────────────────────


def leaves_its_cgroup(given: Given) -> str:
    """With a child that is to outlive it there."""
    if os.fork() == 0:
        os.setsid()
        _step_into(given["path"])
        signal.alarm(20)
        while True:
            signal.pause()
    _step_into(given["path"])
    return Path("/proc/self/cgroup").read_text()


def _step_into(folder: str) -> None:
    with open(f"{folder}/cgroup.procs", "w") as file:
        file.write("0")


def makes_a_cgroup(given: Given) -> str:
    os.mkdir(f"{given['path']}/{MARK}")
    return str(given["path"])


def unshares_its_user(_: Given) -> str:
    _call("unshare", _CLONE_NEWUSER)
    return "alone"


def mounts(_: Given) -> str:
    _call("unshare", _CLONE_NEWNS)
    _call("mount", b"none", b"/tmp", b"tmpfs", 0, None)
    return "mounted"


def mounts_as_it_is(_: Given) -> str:
    _call("mount", b"none", b"/mnt", b"tmpfs", 0, None)
    return "mounted"


def loads_bpf(_: Given) -> str:
    """The smallest map there is: an array of one."""
    attributes = struct.pack("=IIIII", 2, 4, 4, 1, 0) + bytes(100)
    os.close(_call("bpf", 0, attributes, len(attributes)))
    return "loaded"


# ── files ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def writes_a_file(given: Given) -> str:
    path = Path(given["path"])
    path.write_text(MARK)
    return str(path)


def changes_a_file(given: Given) -> str:
    with open(given["path"], "r+b") as file:
        file.write(MARK.encode())
    return str(given["path"])


def removes_a_file(given: Given) -> str:
    os.unlink(given["path"])
    return str(given["path"])


def leaves_a_setuid_file(given: Given) -> str:
    path = Path(given["path"])
    path.write_text(MARK)
    path.chmod(0o4755)
    assert path.stat().st_mode & 0o4000
    return str(path)


# ── network ───────────────────────────────────────────────────────────────────────────────────────────────────────


def reaches_tcp(given: Given) -> str:
    with socket.create_connection(("127.0.0.1", given["port"]), PATIENCE_S) as end:
        end.sendall(MARK.encode())
    return "reached"


def reaches_udp(given: Given) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.sendto(MARK.encode(), ("127.0.0.1", given["udp_port"]))
    return "sent"


def reaches_an_abstract_socket(given: Given) -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as end:
        end.connect("\0" + given["abstract"])
        end.sendall(MARK.encode())
    return "reached"


def reaches_a_unix_socket(given: Given) -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as end:
        end.connect(given["unix"])
        end.sendall(MARK.encode())
    return "reached"


def has_a_way_to_the_metadata_service(_: Given) -> str:
    """A datagram socket is connected without a word being sent: all that it takes is a route."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.connect(("169.254.169.254", 80))
        return str(end.getsockname())


def has_a_raw_socket(_: Given) -> str:
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()
    return "has"


def asks_the_server(given: Given) -> str:
    with socket.create_connection(("127.0.0.1", given["server_port"]), PATIENCE_S) as end:
        end.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        return _something(end.recv(100).decode())


DEEDS: dict[str, Callable[[Given], str | None]] = {
    deed.__name__: deed
    for deed in (
        *(reads_environment, reads_memory, reads_memory_by_call, reads_descriptors, takes_a_descriptor),
        *(reads_a_file, may_signal, kills, kills_its_warden, stops_its_warden, traces, limits, renices),
        *(fills_every_descriptor, connects_to_a_mailbox, is_answered_by_the_supervisor, forges_events),
        *(leaves_its_cgroup, makes_a_cgroup, unshares_its_user, mounts, mounts_as_it_is, loads_bpf),
        *(writes_a_file, changes_a_file, removes_a_file, leaves_a_setuid_file),
        *(reaches_tcp, reaches_udp, reaches_an_abstract_socket, reaches_a_unix_socket),
        *(has_a_way_to_the_metadata_service, has_a_raw_socket, asks_the_server),
    )
}
