"""What a new supervisor takes up: every run that an earlier one left without an end.

If that one was of this server, its wardens live and wait: a run that had begun goes on, under the stop that was
journalled for it and with the last word that was. One that had not begun waits on in the queue. The wardens of an
earlier server ended with its root, so its live runs are settled as lost (`recovery.py`), but for
those whose last word is there.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from ..config.sections import RunsSettings
from . import lifecycle, recovery, wire
from .journal.intents import JournalledStop
from .journal.writer import UnendedRun
from .lifecycle import StopPlan
from .live_run import House, LiveRun
from .messages.base import StopMode
from .messages.commands import StopRun, StopRuns
from .messages.from_run import ExitRecord
from .records import RunRecord, Status
from .register import Register

ROOT = "root"  # in the journal's facts: whose child its writer was
SYNCHRONOUS = "synchronous"  # the same: how it is written
#: More events than a run can have had, and shown, while the kernel had not yet written to the disk what the journal
#: gave it: some 30 s (proc_sys_vm(5), dirty_expire_centisecs) at half a million a second.
MAY_BE_LOST = 1 << 24
_ABOVE: dict[StopMode, StopMode] = {"interrupt": "terminate", "terminate": "kill", "kill": "kill"}
_HEIGHT: dict[StopMode, int] = {"interrupt": 0, "terminate": 1, "kill": 2}


class Rests(Protocol):
    """Who knows when the next attempt of a run is due."""

    def rest(self, run: LiveRun) -> None:
        """Let it wait for that, and then for a slot."""


class Adopts(Protocol):
    """Who holds wardens."""

    def adopt(self, run: LiveRun) -> None:
        """Let its warden in, and hold it."""


def take_up(
    house: House,
    register: Register,
    resting: Rests,
    wardens: Adopts,
    runs: RunsSettings,
    root: bytes,
    boot_id: str,
) -> None:
    """Take up all that the journal has without an end. `root`: what tells this server's root from any other.

    Blocks, normally for some ms; for seconds where an earlier server's wardens do not end. The caller commits.
    """
    journal = house.journal
    skipped = lost_numbers(journal.meta(ROOT), journal.meta(SYNCHRONOUS), boot_id)
    if journal.meta(SYNCHRONOUS) != journal.synchronous.encode():
        journal.set_meta(SYNCHRONOUS, journal.synchronous.encode())
    unended = journal.unended()
    stops = _by_run(journal.stops())
    if journal.meta(ROOT) == root:
        for each in unended:
            run = _live(house, each)
            if each.record.status is Status.QUEUED:
                _queue(run, stops.get(each.key, ()), register, resting, runs)
            else:
                _adopt(run, stops.get(each.key, ()), register, wardens, runs)
    else:
        for left in recovery.settle(unended, boot_id):
            run = LiveRun(house, left.key, left.record, left.given, left.last_seq + skipped)
            if left.lost is None:
                _queue(run, stops.get(left.key, ()), register, resting, runs)
            elif left.record.exit_record is not None:
                run.end_by_its_word(_resumed(left.record, stops.get(left.key, ()), runs), left.lost.proof)
            else:
                run.lose(left.lost.proof, left.lost.error)
        journal.set_meta(ROOT, root)


def lost_numbers(root: bytes | None, synchronous: bytes | None, boot_id: str) -> int:
    """How many events of a run somebody may have seen that the journal does not have. Their numbers are never given.

    `root`, `synchronous`: as the journal has them, of who wrote it last. Any at all only after the machine went down.
    """
    same_boot = root is None or root.rpartition(b" ")[2] == boot_id.encode()
    return 0 if same_boot or synchronous == b"full" else MAY_BE_LOST


def _live(house: House, each: UnendedRun) -> LiveRun:
    return LiveRun(house, each.key, each.record, each.given, each.last_seq)


def _adopt(
    run: LiveRun,
    stops: Sequence[JournalledStop],
    register: Register,
    wardens: Adopts,
    runs: RunsSettings,
) -> None:
    register.readmit(run)
    run.adopt(_resumed(run.record, stops, runs))
    wardens.adopt(run)


def _resumed(record: RunRecord, stops: Sequence[JournalledStop], runs: RunsSettings) -> lifecycle.State:
    """Where a run that had begun stands, by what the journal has of it."""
    stop = stop_in_force(stops, runs)
    if stop is None and record.status is Status.STOPPING:
        stop = shutdown_plan(0, runs.terminate_grace_s)
    word = record.exit_record
    last_word = None if word is None else msgspec.msgpack.decode(word, type=ExitRecord)
    return lifecycle.resumed(stop, last_word, record.approvals, record.answers)


def _queue(
    run: LiveRun, stops: Sequence[JournalledStop], register: Register, resting: Rests, runs: RunsSettings
) -> None:
    if run.record.next_attempt_at is None:
        register.enter(run)
    else:
        resting.rest(run)
    stop = stop_in_force(stops, runs)
    if stop is not None:
        run.advance(lifecycle.StopWanted(stop))


# ── stops ───────────────────────────────────────────────────────────────────────────────────────


def stop_plan(command_id: str, command: StopRun | StopRuns, runs: RunsSettings) -> StopPlan:
    """What a stop means for one run; a grace that was not given is the configured one."""
    grace_s = command.grace_s
    return StopPlan(
        command_id,
        command.mode,
        runs.interrupt_grace_s if grace_s is None else grace_s,
        runs.terminate_grace_s if grace_s is None else grace_s,
    )


def shutdown_plan(number: int, grace_s: float, mode: StopMode = "interrupt") -> StopPlan:
    """The end of the server as a stop of each run; `number` tells a repeated one from the next."""
    return StopPlan(f"shutdown {number}", mode, grace_s, grace_s, shutdown=True)


def stop_in_force(stops: Iterable[JournalledStop], runs: RunsSettings) -> StopPlan | None:
    """The newest of a run's stops in the order they came, as high as the warden would have climbed for them all.

    A warden that has heard one ignores it when it is repeated; one that never heard the one before the newest is
    told a rung more, since a second stop moves on to the next.
    """
    newest: StopPlan | None = None
    unheard = False
    for stop in stops:
        command = wire.to_supervisor.decode(stop.body)
        assert isinstance(command, StopRun | StopRuns)
        plan = stop_plan(stop.id, command, runs)
        if newest is not None and unheard:
            mode = max(plan.mode, _ABOVE[newest.mode], key=_HEIGHT.__getitem__)
            plan = StopPlan(plan.command_id, mode, plan.interrupt_grace_s, plan.terminate_grace_s)
        newest, unheard = plan, stop.done_at is None
    return newest


def _by_run(stops: Iterable[JournalledStop]) -> Mapping[int, list[JournalledStop]]:
    found: dict[int, list[JournalledStop]] = {}
    for stop in stops:
        found.setdefault(stop.run, []).append(stop)
    return found
