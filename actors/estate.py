"""What a server keeps while its code is replaced: the port, the lock, the keys, and who of its processes are there.

Root writes it down, executes itself anew with the code of then, and reads it again: same process, same descriptors,
other code. It is in memory that only the two hold. Whoever has read it checks that live runs can go on under the
new code and settings, before anything is done.
"""

import os

import msgspec

from ..config.sections import Settings
from .containment.findings import Found
from .errors import CannotTakeOver
from .roles import Keys, Paths
from .spoken import Spoken, breach, spoken


class Member(msgspec.Struct, frozen=True):
    """A process of ours that goes on meanwhile."""

    pid: int
    control_fd: int  # our end of its line to root


class Estate(msgspec.Struct, kw_only=True):
    """All that outlives root's code. Descriptors are numbers, the same before and after execve(2)."""

    paths: Paths
    server_keys: Keys
    facade_keys: list[Keys]
    cookie_secret: bytes
    link_token: str
    found: Found
    listen_fd: int = -1
    lock_fd: int = -1
    supervisor: Member = Member(0, -1)
    facades: list[Member] = []
    fixed: dict[str, str] = {}  # settings that a live server can't change
    spoken: Spoken = {}  # what its wardens say and understand
    restarts: int = 0  # how often somebody asked for one


def descriptors(estate: Estate) -> list[int]:
    """All that it names."""
    members = [estate.supervisor, *estate.facades]
    return [estate.listen_fd, estate.lock_fd, *(member.control_fd for member in members)]


def write(estate: Estate) -> int:
    """A descriptor of memory that holds it. The caller closes it."""
    memory = os.memfd_create("runward-estate", os.MFD_CLOEXEC)
    os.write(memory, msgspec.msgpack.encode(estate))
    return memory


def read(memory: int) -> Estate:
    """The estate in this memory; may be read more than once. Raises `CannotTakeOver`."""
    try:
        return msgspec.msgpack.decode(os.pread(memory, os.fstat(memory).st_size, 0), type=Estate)
    except (OSError, msgspec.MsgspecError) as error:
        raise CannotTakeOver(f"what the server before handed on can't be read: {error}") from error


def fixed(settings: Settings) -> dict[str, str]:
    """The settings that live runs and the port depend on, as text."""
    return {
        "http.host": settings.http.host,
        "http.port": str(settings.http.port),
        "state.dir": settings.state.dir,
        "containment.kill": settings.containment.kill,
        "containment.without": ", ".join(settings.containment.without),
        "containment.uid_pool": str(settings.containment.uid_pool),
    }


def check(estate: Estate, settings: Settings) -> None:
    """Raises `CannotTakeOver` where live runs could not go on, or the port not be kept, and says why."""
    now = fixed(settings)
    for key, before in estate.fixed.items():
        if now.get(key, before) != before:
            change = f"{key} is {now[key]!r} and was {before!r}"
            raise CannotTakeOver(f"{change}; that takes effect when the server is ended and started anew")
    broken = breach(estate.spoken, spoken())
    if broken is not None:
        why = f"live runs speak to their supervisor as this version does not: {broken}"
        raise CannotTakeOver(f"{why}; let them end (runward drain), and start the server anew")
