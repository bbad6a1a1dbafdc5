"""A warden's climb: the ladder of `stopping.py` on the warden's own clock, its steps taken on the run."""

import signal
from collections.abc import Callable
from typing import assert_never

from . import limits, stopping
from .actor import Actor, Callback, Timer
from .exit_record import Ending
from .messages.base import StopMode


class Climb:
    """Where the run's ladder stands, and what is done about it. Steps are taken at once; a kill blocks until done."""

    def __init__(
        self,
        actor: Actor,
        agent_pidfd: int,
        ending: Ending,
        interrupt: Callback,
        report: Callable[[StopMode], None],
    ) -> None:
        """`interrupt` tells the agent; `report` tells the supervisor which rung is reached."""
        self._actor = actor
        self._agent_pidfd = agent_pidfd
        self._ending = ending
        self._interrupt = interrupt
        self._report = report
        self._deadline: Timer | None = None
        self.ladder = stopping.Ladder()

    @property
    def mode(self) -> StopMode | None:
        """The rung that is in force, if a stop or a kill is."""
        return stopping.MODES.get(self.ladder.rung)

    def climb(self, message: stopping.LadderMessage) -> None:
        """Let the ladder decide, take its steps, and wait as long as it says."""
        self.ladder, steps = stopping.climb(self.ladder, message)
        for step in steps:
            self._step(step)
        if self._deadline is not None and not isinstance(message, stopping.Claimed):
            self._deadline.cancel()
            self._deadline = None
        if self.ladder.wait_s is not None and self._deadline is None:
            self._deadline = self._actor.after(self.ladder.wait_s, self._overdue)

    def limit_hit(self, name: str) -> None:
        """The run broke this limit: kill it without grace. That is the reason, if nothing else ended it before."""
        if not self.ladder.claimed and not self.ladder.stopped:
            self._ending.limit = limits.reason_of(name)
        self.climb(stopping.LimitHit())

    def report(self) -> None:
        """Tell the supervisor where the ladder stands, if it is climbed."""
        if self.mode is not None:
            self._report(self.mode)

    def signal_agent(self, number: int) -> None:
        """Send it, if the agent is still there."""
        try:
            signal.pidfd_send_signal(self._agent_pidfd, number)
        except ProcessLookupError:
            return

    def _overdue(self) -> None:
        self._deadline = None
        self.climb(stopping.Overdue())

    def _step(self, step: stopping.Step) -> None:
        match step:
            case stopping.Step.INTERRUPT:
                self._interrupt()
            case stopping.Step.TERMINATE:
                self.signal_agent(signal.SIGTERM)
                self.signal_agent(signal.SIGCONT)
            case stopping.Step.KILL:
                self._ending.began(self._actor.clock())
                self._ending.kill_all(self.mode)
            case stopping.Step.REPORT:
                self.report()
            case _:
                assert_never(step)
