"""What a new server does about the runs that an earlier one left without an end.

A queued run had not begun, so it waits on. Of any other the warden ends itself when its root is gone: that is
waited for, then helped along, and the run is lost, on proof. A supervisor of the same server takes them up instead
(`readoption.py`).
"""

import os
import select
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .birth import pidfd_of
from .journal.writer import UnendedRun
from .records import RunInput, RunRecord, Status

WARDENS_OWN_S = 3.0  # a warden kills its run within this


@dataclass(frozen=True, slots=True)
class Lost:
    """Why, and what proves that nothing is left."""

    proof: str
    error: str


@dataclass(frozen=True, slots=True)
class Left:
    """An unended run, and what became of it; `lost` None: it may be queued again."""

    key: int
    record: RunRecord
    given: RunInput
    last_seq: int
    lost: Lost | None


def settle(unended: Iterable[UnendedRun], boot_id: str) -> Iterator[Left]:
    """Decide each run. Blocks until the processes of the lost ones are gone, normally some ms in all."""
    deadline = time.monotonic() + WARDENS_OWN_S
    for run in unended:
        if run.record.status is Status.QUEUED:
            yield Left(run.key, run.record, run.given, run.last_seq, None)
        else:
            yield Left(run.key, run.record, run.given, run.last_seq, _lost(run.record, boot_id, deadline))


def _lost(record: RunRecord, boot_id: str, deadline: float) -> Lost:
    if record.warden is None:
        return Lost("never_started", "the server went down before the run began")
    if record.warden.boot_id != boot_id:
        return Lost("reboot", "the machine went down while the run was live")
    pidfd = pidfd_of(record.warden, boot_id)
    if pidfd is not None:
        _await_end(pidfd, deadline)
        os.close(pidfd)
    return Lost("warden_gone", "the supervisor went down while the run was live")


def _await_end(pidfd: int, deadline: float) -> None:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        poll.poll()
