"""What a process does first: forget its parent, keep its own, hide its secrets. Each in a child of its own."""

import atexit
import json
import os
import resource
import signal
from pathlib import Path
from typing import Any

import pytest

from runward.actors import birth
from runward.actors.birth import clean_environment, pidfd_of, start_ticks
from runward.actors.records import ProcessIdentity
from runward.actors.spawning import spawn

from .forks import REPORT_FD, in_a_fork
from .spawned import Start

pytestmark = pytest.mark.usefixtures("nothing_left")

BOOT = birth.boot_id()


def open_descriptors() -> list[int]:
    """But for the child's report."""
    found = [int(name) for name in os.listdir("/proc/self/fd")]
    return sorted(
        number for number in found if number != REPORT_FD and os.path.lexists(f"/proc/self/fd/{number}")
    )


# ── descriptors ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "kept", [[], [3], [5], [3, 4], [4, 40, 200], [200, 4, 4], [0, 1, 2], [1, 300], [1_000]], ids=repr
)
def test_only_stdio_and_what_is_named_stay_open(kept: list[int]) -> None:
    def keep() -> list[int]:
        for number in (3, 4, 5, 6, 40, 200, 300, 1_000):
            os.dup2(0, number)
        birth.keep_only([*kept, REPORT_FD])
        return open_descriptors()

    assert in_a_fork(keep) == sorted({0, 1, 2, *kept})


def test_what_is_named_and_is_not_open_is_no_trouble() -> None:
    def keep() -> list[int]:
        birth.keep_only([REPORT_FD, 777, 899, 901])
        return open_descriptors()

    assert in_a_fork(keep) == [0, 1, 2]


def test_a_descriptor_above_a_limit_that_was_lowered_is_closed_too() -> None:
    def keep() -> list[int]:
        os.dup2(0, 2_000)
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (1_024, hard))
        birth.keep_only([REPORT_FD])
        return open_descriptors()

    assert in_a_fork(keep) == [0, 1, 2]


def test_stdin_reads_nothing() -> None:
    def read() -> list[Any]:
        os.dup2(os.open("/etc/hostname", os.O_RDONLY), 0)
        before = open_descriptors()
        birth.read_nothing()
        return [os.read(0, 100).decode(), open_descriptors() == before, os.get_inheritable(0)]

    assert in_a_fork(read) == ["", True, True]


def test_stdin_reads_nothing_also_where_there_was_none() -> None:
    def read() -> list[Any]:
        os.close(0)
        birth.read_nothing()
        return [os.readlink("/proc/self/fd/0"), os.read(0, 100).decode()]

    assert in_a_fork(read) == ["/dev/null", ""]


def test_what_is_written_goes_where_it_should() -> None:
    def write() -> list[str]:
        out_reads, out_writes = os.pipe()
        err_reads, err_writes = os.pipe()
        birth.write_to(out_writes, err_writes)
        os.write(1, b"out")
        os.write(2, b"err")
        return [os.read(out_reads, 1_000).decode(), os.read(err_reads, 1_000).decode()]

    assert in_a_fork(write) == ["out", "err"]


# ── signals ─────────────────────────────────────────────────────────────────────────────────────


def test_of_the_parents_signals_nothing_is_left() -> None:
    def forget() -> dict[str, Any]:
        _, writes = os.pipe()
        os.set_blocking(writes, False)
        signal.set_wakeup_fd(writes)
        for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGUSR1):
            signal.signal(number, lambda *_: None)
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR2})
        birth.forget_parent_signals()
        status = dict(line.split(":\t") for line in Path("/proc/self/status").read_text().splitlines())
        return {
            "wakeup": signal.set_wakeup_fd(-1),
            "caught": int(status["SigCgt"], 16) & 0xFFFFFFFF,
            "ignored": _numbers(int(status["SigIgn"], 16) & 0xFFFFFFFF),
            "blocked": int(status["SigBlk"], 16),
        }

    assert in_a_fork(forget) == {
        "wakeup": -1,
        "caught": 0,
        "blocked": 0,
        "ignored": [signal.SIGPIPE, signal.SIGXFSZ],
    }


def _numbers(mask: int) -> list[int]:
    return [number for number in range(1, 33) if mask >> (number - 1) & 1]


def test_a_signal_to_the_child_ends_it_and_calls_no_handler_of_the_parents() -> None:
    reads, writes = os.pipe()
    previous = signal.signal(signal.SIGTERM, lambda *_: os.write(writes, b"the parent's handler") and None)
    pid = os.fork()
    if pid == 0:
        birth.forget_parent_signals()
        os.kill(os.getpid(), signal.SIGTERM)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    signal.signal(signal.SIGTERM, previous)
    os.close(writes)
    with open(reads, "rb") as heard:
        assert heard.read() == b""
    assert os.waitstatus_to_exitcode(status) == -signal.SIGTERM


def test_the_parents_exit_handlers_do_not_run_in_the_child() -> None:
    def leave() -> list[str]:
        ran: list[str] = []
        atexit.register(ran.append, "the parent's")
        birth.forget_parent_signals()
        atexit._run_exitfuncs()
        return ran

    assert in_a_fork(leave) == []


# ── environment and secrets ─────────────────────────────────────────────────────────────────────


def test_of_an_environment_only_what_is_on_the_list_is_handed_down() -> None:
    environment = {
        "PATH": "/bin",
        "LANG": "C",
        "LC_ALL": "C",
        "LC_TIME": "C",
        "TZ": "UTC",
        "TMPDIR": "/tmp",
        "RUNWARD_API_KEY": "secret",
        "OPENAI_API_KEY": "secret",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "LD_PRELOAD": "x.so",
        "LD_LIBRARY_PATH": "/x",
        "PYTHONPATH": "/x",
        "PYTHONSTARTUP": "/x",
        "HOME": "/root",
        "path": "/x",
        "LCX": "x",
        "XLC_ALL": "x",
        "": "x",
        "SSH_AUTH_SOCK": "/x",
    }
    assert set(clean_environment(environment)) == {"PATH", "LANG", "LC_ALL", "LC_TIME", "TZ", "TMPDIR"}
    assert environment["RUNWARD_API_KEY"] == "secret"


def test_what_was_scrubbed_is_not_handed_to_a_child_either() -> None:
    def scrub() -> list[bool]:
        os.environ["A_SECRET"] = "secret"
        birth.scrub_environment()
        reads, writes = os.pipe()
        if os.fork() == 0:
            os.dup2(writes, 1)
            os.execv("/usr/bin/env", ["env"])
        os.close(writes)
        os.wait()
        with open(reads) as printed:
            handed_down = printed.read()
        return ["A_SECRET" in os.environ, "A_SECRET" in handed_down, "PATH=" in handed_down]

    assert in_a_fork(scrub) == [False, False, True]


def test_secrets_can_not_be_dumped() -> None:
    def guard() -> list[Any]:
        birth.guard_secrets()
        return [resource.getrlimit(resource.RLIMIT_CORE), os.stat("/proc/self/environ").st_uid]

    core, owner = in_a_fork(guard)
    assert core == [0, 0]
    assert owner == 0


def test_a_process_says_what_it_is() -> None:
    def entitle() -> str:
        birth.entitle("a test")
        return Path("/proc/self/cmdline").read_bytes().rstrip(b"\0").decode()

    assert in_a_fork(entitle) == "runward: a test"


def test_a_role_begins_with_its_own_descriptors_its_title_and_nothing_to_see() -> None:
    reads, writes = os.pipe()
    pid = spawn("tests.actors.spawned:look_begun", Start(writes), (writes,))
    os.close(writes)
    with open(reads, "rb") as report:
        said = json.loads(report.read())
    os.waitpid(pid, 0)
    assert set(said["descriptors"]) == {"0", "1", "2", str(writes)}
    assert said["descriptors"]["0"] == "/dev/null"
    assert said["cmdline"].rstrip("\0") == "runward: test of roles"
    assert "Max core file size        0                    0" in said["limits"]


# ── identity ────────────────────────────────────────────────────────────────────────────────────


def test_a_process_is_found_again_by_its_identity() -> None:
    own = ProcessIdentity(os.getpid(), start_ticks(os.getpid()), BOOT)
    pidfd = pidfd_of(own, BOOT)
    assert pidfd is not None
    signal.pidfd_send_signal(pidfd, 0)
    os.close(pidfd)


def test_a_pid_that_belongs_to_another_process_by_now_is_not_taken_for_it() -> None:
    ticks = start_ticks(os.getpid())
    for other in (
        ProcessIdentity(os.getpid(), ticks + 1, BOOT),
        ProcessIdentity(os.getpid(), ticks - 1, BOOT),
        ProcessIdentity(os.getpid(), 0, BOOT),
        ProcessIdentity(1, ticks, BOOT),
        ProcessIdentity(os.getpid(), ticks, "another boot"),
    ):
        assert pidfd_of(other, BOOT) is None


def test_a_process_that_is_gone_is_not_found() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    identity = ProcessIdentity(pid, start_ticks(pid), BOOT)
    os.waitpid(pid, 0)
    assert pidfd_of(identity, BOOT) is None
    with pytest.raises(ProcessLookupError):
        start_ticks(pid)


@pytest.mark.parametrize(
    "pid",
    [
        *(0, -1, 2**22 + 1, 2**31 - 1, 2**31),
    ],
    ids=repr,
)
def test_what_is_no_pid_is_nobody(pid: int) -> None:
    assert pidfd_of(ProcessIdentity(pid, 0, BOOT), BOOT) is None


def test_the_start_time_is_found_whatever_a_process_calls_itself() -> None:
    def rename() -> list[bool]:
        before = start_ticks(os.getpid())
        found = []
        for name in ("a) R 1 2 3", "((", "))) ", "\n"):
            Path("/proc/self/comm").write_text(name)
            found.append(start_ticks(os.getpid()) == before)
        return found

    assert in_a_fork(rename) == [True] * 4


def test_processes_that_start_later_have_later_times() -> None:
    assert start_ticks(1) <= start_ticks(os.getpid()) <= in_a_fork(lambda: start_ticks(os.getpid()))
