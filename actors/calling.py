"""Calls a function agent of any kind, passes on what it yields, and keeps its output so far.

Interrupts: a generator is closed at its next yield, an async agent's task is cancelled, a function looks for
itself. `Interrupted` (SIGTERM) goes through the agent's frames and out of here.
"""

from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from typing import Any

from .cancelling import see_through
from .channel import Channel, delta_line
from .entrypoints import arguments, kind_of_result
from .intake import LONGEST_JOINED
from .interruption import Interruption
from .records import Kind, Usage
from .run import Run


class Deltas:
    """Sends text as `message.delta`, from any thread, and keeps it joined: the output of who returns none."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._kept: list[str] | None = []
        self._length = 0

    def send(self, text: str) -> None:
        """Send it now. What is kept is kept first, so that nothing that was sent is missing from it."""
        self.keep(text)
        self._channel.write(delta_line(text))

    def keep(self, text: str) -> None:
        """Note what went as an event of the agent's own making."""
        if self._kept is not None:
            self._length += len(text)
            self._kept.append(text)
            if self._length > LONGEST_JOINED:
                self._kept = None

    @property
    def joined(self) -> str | None:
        """All of it; None for nothing, or for too much."""
        return "".join(self._kept) if self._kept else None


class FunctionCall:
    """One call of a function agent. `kind` and `output` are right at every moment, however the call ends."""

    # A function says so by raising, and in no other way.
    error: str | None = None
    interrupted = False

    def __init__(
        self, target: Any, kind: Kind, text: str, run: Run, channel: Channel, options: Mapping[str, Any]
    ) -> None:
        """TypeError: the agent can't be called with an input and these options."""
        self.kind = kind
        self._target = target
        self._run = run
        self._deltas = Deltas(channel)
        self._positional, self._named = arguments(target, text, run, options)
        self._returned: Any = None

    @property
    def output(self) -> Any:
        """What it returned, else the deltas that it yielded so far, joined; None for neither."""
        return self._deltas.joined if self._returned is None else self._returned

    @property
    def usage(self) -> Usage | None:
        """What it told its run."""
        return self._run.used

    def perform(self, interruption: Interruption) -> None:
        """Call it and see it through. Raises what the agent raises."""
        self._interruption = interruption
        if interruption.wished:
            return
        result = self._target(*self._positional, **self._named)
        self.kind = kind_of_result(result)
        match self.kind:
            case Kind.ASYNC_FUNCTION:
                see_through(self._await(result), interruption)
            case Kind.ASYNC_GENERATOR:
                see_through(self._drain(result), interruption)
            case Kind.GENERATOR:
                self._exhaust(result)
            case _:
                self._returned = result

    def _exhaust(self, items: Iterator[Any]) -> None:
        try:
            while not self._interruption.wished:
                self._pass_on(next(items))
        except StopIteration as end:
            self._returned = end.value
        finally:
            # Also when SIGTERM struck outside its frame, so that its own `finally` blocks run.
            if (close := getattr(items, "close", None)) is not None:
                close()

    async def _await(self, result: Awaitable[Any]) -> None:
        self._returned = await result

    async def _drain(self, items: AsyncIterator[Any]) -> None:
        try:
            async for item in items:
                self._pass_on(item)
        finally:
            if (close := getattr(items, "aclose", None)) is not None:
                await close()

    def _pass_on(self, item: Any) -> None:
        """Text is a delta; a dict with "event" is that event; TypeError for anything else."""
        match item:
            case str():
                self._deltas.send(item)
            case {"event": str(event)}:
                fields: dict[str, Any] = {name: item[name] for name in item if name != "event"}
                if event == "message.delta" and isinstance(delta := fields.get("delta"), str):
                    self._deltas.keep(delta)
                self._run.emit(event, **fields)
            case _:
                raise TypeError(f"an agent yields text or {{'event': …}}, not a {type(item).__name__}")
