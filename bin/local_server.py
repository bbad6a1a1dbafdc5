"""The server of a state folder on this machine, as a process: for commands to its root and not to its port."""

import os
import select
import signal
from pathlib import Path

from ..http import api_address
from .outcome import CommandError, ExitCode

ROOT_TITLE = "runward: root"


class LocalServer:
    """A live server's root, held so that no later process with its pid can be meant. Use it as a context."""

    def __init__(self, state: Path | None) -> None:
        """Raises CommandError (unreachable) if no server of this state folder runs here."""
        folder = self.folder = state or api_address.state_folder()
        self.pid = api_address.noted_pid(folder) or 0
        try:
            self._pidfd = os.pidfd_open(self.pid) if self.pid else -1
        except OSError:
            self._pidfd = -1
        if self._pidfd < 0 or not _is_root(self.pid):
            self.close()
            message = f"no server runs here with the state folder {folder}; say which with --state"
            raise CommandError(message, ExitCode.UNREACHABLE, "unreachable")

    def __enter__(self) -> "LocalServer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def tell(self, number: int) -> None:
        """Send the signal. Raises CommandError where this user may not."""
        try:
            signal.pidfd_send_signal(self._pidfd, number)
        except PermissionError as error:
            message = f"the server (pid {self.pid}) is another user's"
            raise CommandError(message, code="forbidden") from error
        except ProcessLookupError:
            return  # it has ended, which `await_end` says

    def await_end(self) -> None:
        """Return once it is gone. Blocks as long as that takes."""
        while not self.has_ended(None):
            pass

    def has_ended(self, within_s: float | None) -> bool:
        """Whether it is gone; waits for that as long as that may take, or for ever."""
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        return bool(poll.poll(None if within_s is None else within_s * 1000))

    def close(self) -> None:
        """Let go of it."""
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1


def _is_root(pid: int) -> bool:
    """Whether the process says that it is a server's root: the note may be of one that was killed."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().startswith(ROOT_TITLE.encode())
    except OSError:
        return False
