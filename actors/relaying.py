"""The warden's counter: passes people's answers and guidance on to the agent, and what became of them back.

What was said before is only acknowledged again: the supervisor repeats what it can't know to have been heard.
"""

from collections.abc import Callable
from typing import Protocol

from .actor import Timer
from .desk import Desk
from .intake import Taken
from .messages.from_run import AnswerTaken, FromRun, SteerTaken
from .messages.to_run import Answer, Steer
from .messages.with_agent import Approval, Guidance

STEER_S = 2.0  # an agent that has not taken guidance by then does not get it
OVERDUE_S = 2.5  # by then a warden has heard of what was taken in time


class Loop(Protocol):
    """What is needed of the warden's."""

    def clock(self) -> float:
        """Monotonic seconds."""

    def after(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        """A timer."""


class Relay:
    """Between one attempt's agent and people. `waits` is told whether the agent waits for one, as that changes."""

    def __init__(
        self,
        loop: Loop,
        desk: Desk,
        of_run: tuple[str, int],
        to_agent: Callable[[Approval | Guidance], None],
        to_supervisor: Callable[[FromRun], None],
        waits: Callable[[], None],
        listens: Callable[[], bool],
    ) -> None:
        """`of_run`: its id and the attempt. `listens`: whether the agent is listened to now."""
        self._loop = loop
        self._desk = desk
        self._of_run = of_run
        self._to_agent = to_agent
        self._to_supervisor = to_supervisor
        self._waits = waits
        self._listens = listens

    def answer(self, answer: Answer) -> None:
        """A person, or a deadline, answered the agent."""
        told = self._desk.answer(answer)
        if told is not None:
            self._to_agent(told)
            self._waits()
        self._to_supervisor(AnswerTaken(*self._of_run, answer.request_id))

    def steer(self, steer: Steer, why_not: str | None) -> None:
        """A person has something to say. `why_not`: what the warden knows against it."""
        known = self._desk.outcome(steer.command_id)
        if known is None and why_not is not None:
            known = (why_not,)
        if known is not None:
            self._say(steer.command_id, known[0])
            return
        try:
            new = self._desk.steer(steer.command_id, steer.text)
        except ValueError as error:
            self._say(steer.command_id, str(error))
            return
        if new:
            until = self._loop.clock() + STEER_S
            self._to_agent(Guidance(steer.command_id, steer.text, until))
            self._loop.after(OVERDUE_S, lambda: self._overdue(steer.command_id))

    def took(self, taken: Taken) -> None:
        """What the agent said, as far as it is for people; its events are on their way by now."""
        for reply in taken.replies:
            self._to_agent(reply)
        for steer_id, why in taken.steered:
            self._say(steer_id, why)

    def _overdue(self, command_id: str) -> None:
        if not self._listens():  # it may have said so, and nobody reads it until there is credit again
            self._loop.after(OVERDUE_S, lambda: self._overdue(command_id))
            return
        why = f"the agent did not take it within {STEER_S:g} s"
        if self._desk.close_steer(command_id, why) is not None:
            self._say(command_id, why)

    def _say(self, command_id: str, why: str | None) -> None:
        self._to_supervisor(SteerTaken(*self._of_run, command_id, why))
