"""The folders on disk that runs may write to: made for a run, put in the trash at its end, or kept.

Only where a run can't have its folder in memory, which goes by itself: where there is no mount namespace, no limit
on its size, or its agent wants it kept. For the supervisor alone; a folder is made and renamed here, and what takes
long, removing, is the janitor's.
"""

import contextlib
import os
import signal
import time
from collections.abc import Collection, Iterable

from ..config.sections import AgentSpec
from . import kept_files
from .actor import Actor
from .containment.walls import MOUNTS, UID
from .messages.with_zygote import Place
from .roles import JanitorStart
from .spawning import spawn

JANITOR_MAIN = "runward.actors.janitor:begin"
PAUSE_S = 1.0  # what ends meanwhile is removed together
MEMORY_BYTES = 268_435_456  # for /tmp and /dev/shm, where a run has its work folder on disk without limit
_WORK, _KEPT, _TRASH = "work", kept_files.KEPT, "trash"


class WorkFolders:
    """All of one state folder."""

    def __init__(self, actor: Actor, state_dir: str, walls: Collection[str]) -> None:
        """Raises OSError."""
        self._actor = actor
        self._state_dir = state_dir
        self._in_memory = MOUNTS in walls
        # Whose folders are on disk and who is not us must get through those above, without seeing what is in them.
        self._above = 0o711 if UID in walls and not self._in_memory else 0o700
        self._janitor: tuple[int, int] | None = None  # pid and pidfd
        self._called = False
        for name in (_WORK, _KEPT, _TRASH):
            os.makedirs(f"{state_dir}/{name}", mode=0o700, exist_ok=True)
        for folder in (
            (state_dir, f"{state_dir}/{_WORK}", f"{state_dir}/{_KEPT}") if self._above != 0o700 else ()
        ):
            os.chmod(folder, self._above)

    def take_over(self, live: Iterable[str]) -> None:
        """Throw away what runs of an earlier supervisor left, all but those that live on (their ids)."""
        for name in set(os.listdir(f"{self._state_dir}/{_WORK}")) - set(live):
            self._throw_away(f"{_WORK}/{name}")
        self._clean()

    def place(self, run_id: str, spec: AgentSpec, size_bytes: int) -> Place:
        """Where this run may write; its folders are there then. Raises OSError."""
        keep = spec.work_folder == "keep"
        if self._in_memory and size_bytes and not keep:
            return Place(size_bytes)
        scratch = f"{self._state_dir}/{_WORK}/{run_id}"
        work, temporary = f"{scratch}/work", f"{scratch}/tmp"
        if keep:
            work = kept_files.folder(self._state_dir, run_id)
        if not (self._in_memory and keep):
            self._throw_away(f"{_WORK}/{run_id}")  # of an earlier attempt
            os.mkdir(scratch, self._above)
            os.mkdir(temporary, 0o700)
        with contextlib.suppress(FileExistsError):  # kept from an earlier attempt
            os.mkdir(work, 0o700)
        return Place(size_bytes or MEMORY_BYTES, work, "" if self._in_memory else temporary)

    def ended(self, run_id: str) -> None:
        """Throw away what it had and does not keep, if anything."""
        self._throw_away(f"{_WORK}/{run_id}")

    def forget(self, run_id: str) -> None:
        """Throw away what it kept, if anything."""
        self._throw_away(f"{_KEPT}/{run_id}")

    def close(self) -> None:
        """At the supervisor's end: what is not removed yet is left to the next one."""
        if self._janitor is not None:
            os.kill(self._janitor[0], signal.SIGKILL)
            self._janitor_gone()

    def _throw_away(self, name: str) -> None:
        try:
            os.rename(
                f"{self._state_dir}/{name}",
                f"{self._state_dir}/{_TRASH}/{os.path.basename(name)}.{time.time_ns()}",
            )
        except FileNotFoundError:
            return
        if not self._called:
            self._called = True
            self._actor.after(PAUSE_S, self._clean)

    def _clean(self) -> None:
        """Have the trash emptied, unless that is being done; then look again when it is over."""
        trash = f"{self._state_dir}/{_TRASH}"
        if self._janitor is not None:
            return
        self._called = False
        if os.listdir(trash):
            with contextlib.suppress(OSError):  # no room for a process: what is there waits for the next time
                pid = spawn(JANITOR_MAIN, JanitorStart(trash), ())
                self._janitor = (pid, os.pidfd_open(pid))
                self._actor.watch(self._janitor[1], self._janitor_gone)

    def _janitor_gone(self) -> None:
        assert self._janitor is not None
        (pid, pidfd), self._janitor = self._janitor, None
        self._actor.unwatch(pidfd)
        os.waitpid(pid, 0)
        os.close(pidfd)
        if self._called:
            self._actor.after(PAUSE_S, self._clean)
