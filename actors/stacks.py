"""Asks of facades where a run's agent is in its code, passed on to its warden, with a deadline on the answer."""

from collections.abc import Callable

from .actor import Actor
from .messages.answers import FromSupervisor, Refusal, Stack
from .messages.commands import AskStack
from .messages.from_run import StackTaken
from .register import Register
from .stack_pipe import MOST_S

WARDENS_OWN_S = 0.5  # beside the agent's time

Answer = Callable[[FromSupervisor], None]


class Stacks:
    """The asks that wait for their wardens. The actor keeps them."""

    def __init__(self, actor: Actor, register: Register) -> None:
        self._actor = actor
        self._register = register

    def ask(self, command: AskStack, answer: Answer) -> None:
        """Answer now or later, once. A command that is sent again is answered once as well, to its last sender."""
        run = self._register.get(command.run_id)
        if run is None or command.owner not in (None, run.record.owner):
            message = (
                f"run {command.run_id} is not live; the stacks of an ended run are gone with its processes"
            )
            answer(Refusal(command.id, "run_not_live", message))
        elif not run.has_agent:
            message = (
                f"run {command.run_id} is {run.record.status}: it has no agent process that could be asked"
            )
            answer(Refusal(command.id, "run_not_live", message, status=run.record.status))
        else:
            self._actor.ask(
                ("stack", command.run_id, command.id),
                lambda: run.take_stack(command.id),
                MOST_S + WARDENS_OWN_S,
                lambda taken: answer(_answer(command, taken)),
                lambda _: answer(_unavailable(command, "the run's warden does not answer")),
            )

    def taken(self, message: StackTaken) -> None:
        """A warden answers. If nobody waits any more, nobody is told."""
        self._actor.answer(("stack", message.run_id, message.command_id), message)


def _answer(command: AskStack, taken: StackTaken) -> FromSupervisor:
    if taken.error is not None:
        return _unavailable(command, taken.error)
    return Stack(command.id, taken.text)


def _unavailable(command: AskStack, why: str) -> Refusal:
    return Refusal(command.id, "stack_unavailable", f"the stacks can't be had: {why}")
