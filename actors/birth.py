"""What a process does first, whatever its role: forget its parent, say what it is, keep only its own descriptors."""

import atexit
import contextlib
import gc
import os
import resource
import signal
import sys
from collections.abc import Iterable
from typing import TypeVar

import msgspec
import setproctitle

from .containment import linux
from .records import ProcessIdentity

_KEPT_VARIABLES = frozenset(
    {"PATH", "LANG", "LANGUAGE", "TZ", "TMPDIR", "VIRTUAL_ENV", "SSL_CERT_FILE", "SSL_CERT_DIR"}
)
LIMITS_AT_BIRTH = resource.getrlimit(resource.RLIMIT_NOFILE)  # soft and hard, of descriptors
_USUAL_NR_OPEN = 1 << 20  # /proc/sys/fs/nr_open, unless an administrator raised it
_RESET = tuple(
    int(number) for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP} if number < 32
)
_IGNORED = (int(signal.SIGPIPE), int(signal.SIGXFSZ))
_Start = TypeVar("_Start", bound=msgspec.Struct)


SPARE = "spare "  # before the title of what was forked ahead of its run


def born_with(birth_fd: int, kind: type[_Start]) -> _Start:
    """What this process was spawned with (`spawning.spawn`). Where its parent died as it wrote, it ends, with 1."""
    try:
        with open(birth_fd, "rb") as pipe:
            return msgspec.msgpack.decode(pipe.read(), type=kind)
    except msgspec.DecodeError:
        sys.exit(1)


def entitle(role: str) -> None:
    """Show as `runward: ROLE` in ps(1)."""
    setproctitle.setproctitle(f"runward: {role}")


def name_thread(name: str) -> None:
    """Bear this comm, of at most 15 bytes (PR_SET_NAME, prctl(2)); what is forked from this thread has it too."""
    setproctitle.setthreadtitle(name)


def clean_environment(environ: dict[str, str]) -> dict[str, str]:
    """What may be handed down of an environment: the allow-list and the locale, no secret and no surprise."""
    return {name: text for name, text in environ.items() if name in _KEPT_VARIABLES or name.startswith("LC_")}


def scrub_environment() -> None:
    """Forget all but the allow-list, so that no child inherits it."""
    kept = clean_environment(dict(os.environ))
    os.environ.clear()
    os.environ.update(kept)


def forget_parent_signals() -> None:
    """After a fork: no wake-up descriptor, no handler and no mask of the parent's (a shared one would act there).

    SIGPIPE and SIGXFSZ stay ignored, as in any Python. Real-time signals have no handler in our processes.
    """
    signal.set_wakeup_fd(-1)
    for number in _RESET:
        linux.set_handler(number, linux.SIG_DFL)
    for number in _IGNORED:
        linux.set_handler(number, linux.SIG_IGN)
    linux.set_signal_mask(signal.SIG_SETMASK, ())
    atexit._clear()


def keep_only(descriptors: Iterable[int]) -> None:
    """Close every descriptor but stdio and these."""
    low = 3
    for descriptor in sorted(set(descriptors)):
        if descriptor >= low:
            os.closerange(low, descriptor)
            low = descriptor + 1
    os.closerange(low, _highest_descriptor())


def read_nothing() -> None:
    """Make stdin /dev/null: descriptor 0 itself, not only `sys.stdin`."""
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    os.dup2(null, 0)
    if null > 2:
        os.close(null)


def write_to(out_fd: int, err_fd: int) -> None:
    """Make these stdout and stderr. Text layers are left to who runs Python in them (`agent.main`)."""
    os.dup2(out_fd, 1)
    os.dup2(err_fd, 2)


def guard_secrets() -> None:
    """Not dumpable, no core file: another process of this uid can't read our memory, environment, descriptors."""
    linux.set_dumpable(False)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def begin_role(role: str, keep: Iterable[int]) -> None:
    """The beginning of a spawned role: title, no secrets to see, own descriptors, ends with its parent."""
    linux.die_with_parent(os.getppid())
    entitle(role)
    guard_secrets()
    read_nothing()
    keep_only(keep)


def allow_descriptors(wanted: int) -> None:
    """Let this process open so many, or as many as its hard limit allows. `spawn` hands down the old limit."""
    soft, hard = LIMITS_AT_BIRTH
    if soft != resource.RLIM_INFINITY and soft < wanted:
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


def settle_memory() -> None:
    """For a process that will serve for long: what it has imported is not looked through again for garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def boot_id() -> str:
    """The id of this boot of the machine (random(4))."""
    return linux.read_small("/proc/sys/kernel/random/boot_id").decode().strip()


def start_ticks(pid: int) -> int:
    """When this process started, in ticks after boot (proc_pid_stat(5), field 22). Raises ProcessLookupError."""
    try:
        stat = linux.read_small(f"/proc/{pid}/stat")
    except FileNotFoundError as error:
        raise ProcessLookupError(pid) from error
    return int(stat.rpartition(b")")[2].split()[19])


def pidfd_of(identity: ProcessIdentity, boot_id: str) -> int | None:
    """A pidfd of exactly this process, or None if it is gone. The caller closes it."""
    if identity.boot_id != boot_id:
        return None
    try:
        pidfd = os.pidfd_open(identity.pid)
    except (OSError, OverflowError):
        return None
    with contextlib.suppress(ProcessLookupError):
        if start_ticks(identity.pid) == identity.start_ticks:
            return pidfd
    os.close(pidfd)
    return None


def _highest_descriptor() -> int:
    """Above all that may be open. Not the limit of now alone: it binds what is opened, not what is."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(soft, _USUAL_NR_OPEN)
