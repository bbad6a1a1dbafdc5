"""What a function agent is given beside its input: `Run`. It knows no more of the runtime than the channel.

Agents get at these names with `from runward import Interrupted, Run`; code that is not handed its run, such as a
library's callback, with `from runward import current_run`.
"""

import os
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from .channel import Channel, event_line
from .child_runs import Child, ChildRuns
from .intake import why_not
from .interruption import Interrupted, Interruption
from .people import Choice, People
from .records import RunInput, Usage

__all__ = ["Choice", "Interrupted", "Run", "current_run", "event_name"]

_OWNED_FIELDS = frozenset({"event", "run_id", "seq", "timestamp"})


class Run:
    """One run, seen from inside. Every method may be called from any thread.

    `interrupted` is a `threading.Event`, set once the run is asked to end; a long wait is
    `run.interrupted.wait(seconds)`. `session_id` is the caller's, else the run's own id.
    `used` is what `usage` was last told.
    """

    def __init__(
        self,
        run_id: str,
        given: RunInput,
        channel: Channel,
        interruption: Interruption,
        people: People | None = None,
    ) -> None:
        self.run_id = run_id
        self.session_id = given.session_id or run_id
        self.history = given.history
        self.instructions = given.instructions
        self.metadata = given.metadata
        self.model = given.model
        self.work_folder = os.getcwd()
        self.interrupted = interruption.event
        self.used: Usage | None = None
        self._channel = channel
        self._interruption = interruption
        self.people = people or People(channel, interruption)  # for the runtime itself
        self._children = ChildRuns(channel.write)
        self.hear_of_child = self._children.hear  # for the control thread

    def emit(self, event: str, /, **fields: Any) -> None:
        """Send an event now. Blocks while the run is far ahead of the journal.

        ValueError: a name that is not dotted, or is the runtime's own. TypeError: a field that is no JSON.
        """
        event_name(event)
        if not _OWNED_FIELDS.isdisjoint(fields):
            owned = sorted(_OWNED_FIELDS.intersection(fields))
            raise ValueError(f"event {event!r}: the runtime sets {', '.join(owned)}")
        self._channel.write(event_line(event, fields))

    def check(self) -> None:
        """Raise `Interrupted` if the run was asked to end."""
        if self._interruption.wished:
            raise Interrupted("interrupted")

    def approve(
        self,
        prompt: str,
        *,
        choices: Sequence[str] = ("once", "session", "always", "deny"),
        timeout_s: float | None = None,
        **fields: Any,
    ) -> Choice:
        """Ask people, and wait for what they choose: a str, one of `choices` or "deny"; what it means you decide.

        Blocks, and the run is `waiting_for_approval`; async code calls `approve_async`. `timeout_s`: in place of the
        agent's `approval_timeout_s`. `fields` go into the event `approval.request` as they are. Raises Interrupted
        when the run is asked to end; ValueError for a question that is none, such as a choice that is unknown;
        TypeError for a field that is no JSON; RuntimeError in a process that the agent forked. Threads may wait at
        once, for 16 questions in all.
        """
        asked = {**fields, "prompt": prompt, "choices": list(choices)}
        return self.people.ask(asked if timeout_s is None else asked | {"timeout_s": timeout_s})

    async def approve_async(self, prompt: str, **more: Any) -> Choice:
        """`approve`, of which the event loop does not wait for the answer."""
        from asyncio import to_thread  # an agent that is async has it anyway

        return await to_thread(self.approve, prompt, **more)

    def steering(self) -> list[str]:
        """What people have said to guide the run since the last call, oldest first; does not block.

        Guidance is taken from the first call on; until then, who gives some is told after 2 s that nobody took it.
        """
        return self.people.guidance()

    def spawn(self, agent: str, input: str, **options: Any) -> Child:
        """Start a run of that agent below this one, and return once it is sure to have its end; see `Child`.

        Options, as in `POST /v1/runs`: `history`, `instructions`, `session_id`, `model`, `metadata`, `limits` (which
        only tighten the agent's). `SpawnRefused`: this agent's `spawn` does not list that one, or there is no room
        for more. Blocks for a round to the journal; if our supervisor has just died, until there is another.
        """
        return self._children.spawn(agent, input, options)

    async def spawn_async(self, agent: str, input: str, **options: Any) -> Child:
        """As `spawn`, without blocking the event loop."""
        return await self._children.spawn_async(agent, input, options)

    def usage(
        self, *, input_tokens: int = 0, output_tokens: int = 0, total_tokens: int | None = None
    ) -> None:
        """Say how many tokens the run has used so far, in all; a later call replaces an earlier one."""
        total = input_tokens + output_tokens if total_tokens is None else total_tokens
        self.used = Usage(input_tokens, output_tokens, total)


_current: Run | None = None


def current_run() -> Run:
    """The run that this process is the agent of. RuntimeError: it is no agent, or has not begun."""
    if _current is None:
        raise RuntimeError("this process is not the agent of a run")
    return _current


def begin(run: Run) -> Run:
    """Make it the current one. Called once, by the agent's process."""
    global _current  # a process is the agent of one run
    _current = run
    return run


@lru_cache(maxsize=256)
def event_name(event: str) -> str:
    """The name, if an agent may emit it; else ValueError. The warden has the last word."""
    if (why := why_not(event)) is not None:
        raise ValueError(f"event {event!r} is not allowed: {why}")
    return event
