"""Runs that are begun again after their end: a new attempt of the same run, with the same input, after a while.

An attempt has a key and processes of its own, and the one before is proved to be gone, so nothing of it can be taken
for the new one's. The journal has the new attempt, and when it is due, from the moment the old one ended: it waits
like any other run, under whichever supervisor there is.
"""

import random
from collections.abc import Callable
from dataclasses import replace

from ..config.sections import Settings
from . import restart
from .live_run import House, LiveRun
from .records import Crash, RunRecord
from .register import Register
from .verdict import Verdict


class Restarting:
    """Decides and does it. `release` gives back what an attempt held. `chance`: from 0 to 1, for the jitter."""

    def __init__(
        self,
        house: House,
        settings: Settings,
        register: Register,
        release: Callable[[LiveRun], None],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._house = house
        self._settings = settings
        self._register = register
        self._release = release
        self._chance = chance
        self._backoff = restart.Backoff(settings.runs.restart_delay_s, settings.runs.longest_restart_delay_s)
        self.closing = False

    def again(self, run: LiveRun, end: Verdict) -> Verdict | None:
        """None: another attempt follows, and `run` is none any more. Else how the run ends."""
        spec, record, now = self._settings.agents.get(run.record.agent), run.record, self._house.now()
        stopped = run.state.stop is not None
        if spec is None or stopped or not restart.is_wanted(spec.restart, end.reason, record.attempt):
            return end
        runs = self._settings.runs
        window = restart.Intensity(runs.restart_intensity, runs.restart_period_s, tuple(record.restarts))
        if restart.is_crash(end.reason, record.attempt):
            _keep(record, Crash(record.attempt, now, end.reason, end.error, end.exit), window)
        more = restart.restarted(window, now)
        if self.closing:
            return end
        if more is None:
            return _given_up(end, record)
        record.restarts = list(more.restarts)
        self._begin_again(run, end, restart.delay_s(self._backoff, more.restarts, self._chance()))
        return None

    def rest(self, run: LiveRun) -> None:
        """Let it wait until its next attempt is due, and then for a slot."""
        self._register.rest(run)
        due = run.record.next_attempt_at or 0.0
        left_s = restart.left_s(self._backoff, due, self._house.now())
        self._house.after(left_s, lambda: self._wait_for_slot(run))

    def _begin_again(self, run: LiveRun, end: Verdict, delay_s: float) -> None:
        self._register.leave(run)
        self._release(run)
        self.rest(run.hand_over(end, round(delay_s, 3)))
        self._house.admit()  # its slot is free

    def _wait_for_slot(self, run: LiveRun) -> None:
        if self._register.get(run.record.run_id) is run:  # else it was stopped
            run.record.next_attempt_at = None
            self._register.enter(run)
            self._house.admit()


def _keep(record: RunRecord, crash: Crash, window: restart.Intensity) -> None:
    """The first and the last of those that count together."""
    if record.first_crash is None or not restart.recent(window, crash.at):
        record.first_crash = crash
    record.last_crash = crash


def _given_up(end: Verdict, record: RunRecord) -> Verdict:
    if end.error is None:
        return end
    error, first = f"given up after {record.attempt} attempts: {end.error}", record.first_crash
    if first is not None and first.attempt < record.attempt:
        error += f"; attempt {first.attempt} had ended with: {first.error}"
    return replace(end, error=error)
