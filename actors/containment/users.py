"""Killing all that one user has running: for runs that have users of their own, and for root only.

kill(2) with pid -1 reaches whoever the caller may signal, all at once: the kernel holds its list of processes
meanwhile, so that nobody forks past it.
"""

import contextlib
import errno
import os
import signal
from collections.abc import Container

from . import linux
from .reaping import SubreaperRounds

#: Ids above this have no counterpart (see `kill_user`).
LAST_UID = (1 << 31) - 2
_COUNTERPART = 1 << 31
_ROOT = (0, 0, 0)


def kill_user(uid: int) -> None:
    """SIGKILL to every process of this user in the caller's pid namespace, and to no other. Root's only; OSError.

    The calling thread becomes that user for the length of two system calls. Its real uid is then one that nobody has
    or will have, not root's, which would spare none of root's processes; and its saved one stays root's. So who is
    killed may neither signal the caller nor trace it, not even then (credentials(7), kill(2)).
    """
    if not 0 < uid <= LAST_UID or os.getresuid() != _ROOT:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM), f"kill as user {uid}")
    borrowed = (uid + _COUNTERPART, uid, 0)
    linux.set_user_ids(*borrowed)
    try:
        if os.getresuid() == borrowed:  # as anybody else it would be a massacre
            os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        pass
    finally:
        linux.set_user_ids(*_ROOT)
        linux.set_dumpable(False)  # a change of uid may undo it, as /proc/sys/fs/suid_dumpable says


def kill_users(uids: Container[int]) -> set[int]:
    """SIGKILL to every process of any of these users; returns those who had one. Root's only; OSError."""
    found = lived_in(uids)
    for uid in found:
        kill_user(uid)
    return found


def lived_in(uids: Container[int]) -> set[int]:
    """Those of these users who have a process, the dead and unburied included.

    Looks at all of /proc once: some microseconds a process.
    """
    found: set[int] = set()
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with contextlib.suppress(OSError):  # it ended meanwhile
                uid = os.stat(f"/proc/{name}").st_uid  # the effective one, also of who is not dumpable
                if uid in uids and 0 < uid <= LAST_UID:
                    found.add(uid)
    return found


class UserRounds(SubreaperRounds):
    """SIGKILL to all of the run's user at once, then to what is below this warden: one may not be that user yet."""

    def __init__(self, uid: int) -> None:
        super().__init__()
        self._uid = uid

    def __call__(self) -> None:
        """One round."""
        kill_user(self._uid)
        super().__call__()
