"""What a function agent is given beside its input: `Run`. It knows no more of the runtime than the channel.

Agents get at these names with `from runward import Interrupted, Run`.
"""

import os
from functools import lru_cache
from typing import Any

from .channel import Channel, event_line
from .intake import why_not
from .interruption import Interrupted, Interruption
from .records import RunInput, Usage

__all__ = ["Interrupted", "Run", "event_name"]

_OWNED_FIELDS = frozenset({"event", "run_id", "seq", "timestamp"})


class Run:
    """One run, seen from inside. Every method may be called from any thread.

    `interrupted` is a `threading.Event`, set once the run is asked to end; a long wait is
    `run.interrupted.wait(seconds)`. `session_id` is the caller's, else the run's own id.
    `used` is what `usage` was last told.
    """

    def __init__(self, run_id: str, given: RunInput, channel: Channel, interruption: Interruption) -> None:
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

    def usage(
        self, *, input_tokens: int = 0, output_tokens: int = 0, total_tokens: int | None = None
    ) -> None:
        """Say how many tokens the run has used so far, in all; a later call replaces an earlier one."""
        total = input_tokens + output_tokens if total_tokens is None else total_tokens
        self.used = Usage(input_tokens, output_tokens, total)


@lru_cache(maxsize=256)
def event_name(event: str) -> str:
    """The name, if an agent may emit it; else ValueError. The warden has the last word."""
    if (why := why_not(event)) is not None:
        raise ValueError(f"event {event!r} is not allowed: {why}")
    return event
