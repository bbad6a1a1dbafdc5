"""How everything stands, in figures: what facades ask of the supervisor for `GET /metrics`.

Each asking brings what that facade counted itself, so whoever asks is given the figures of all.
"""

import os
from collections.abc import Callable

from .figures import Series, live_children, series, summed, unended
from .forking import Forking
from .live_run import House
from .messages.answers import FiguresTold
from .messages.commands import AskFigures
from .register import Register
from .reported import Reported


class Accounts:
    """Belongs to the supervisor. `agents`: the names of all that are declared; `depth`: of the deepest live tree."""

    def __init__(
        self,
        house: House,
        register: Register,
        forking: Forking,
        agents: list[str],
        depth: Callable[[], int],
    ) -> None:
        self._house = house
        self._register = register
        self._forking = forking
        self._agents = agents
        self._depth = depth
        self._began = house.clock()
        self._reported = Reported()

    def answer(self, command: AskFigures) -> FiguresTold:
        """Take the facade's own; give those of all, if they are wanted. Costs some µs for each run that lives."""
        now = self._house.clock()
        self._reported.take(command.life, command.counters, command.gauges, now)
        return FiguresTold(command.id, os.getpid(), self._all(now) if command.wanted else {})

    def _all(self, now: float) -> Series:
        live = [run.record for run in self._register.all()]
        return summed((
            self._house.figures.series(),
            unended(live),
            live_children(live),
            self._present(now),
            self._reported.series(now),
        ))  # fmt: skip

    def _present(self, now: float) -> Series:
        quarantined = sum(self._house.quarantined(name) is not None for name in self._agents)
        zygotes = {
            series("runward_zygote_starts_total", agent=name): float(starts)
            for name, starts in self._forking.zygote_starts().items()
        }
        return zygotes | {
            "runward_up": 1.0,
            "runward_supervisor_uptime_seconds": now - self._began,
            "runward_queued_runs": float(self._register.waiting),
            "runward_live_runs": float(len(self._register) - self._register.waiting),
            "runward_quarantined_agents": float(quarantined),
            "runward_run_tree_depth": float(self._depth()),
            "runward_journal_held_up": float(self._house.journal.held_up),
        }
