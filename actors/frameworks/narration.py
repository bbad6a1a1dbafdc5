"""What an adapter says of its agent's work, as the events of docs/events.md: one vocabulary for every framework."""

import json
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from ..calling import Deltas
from ..channel import Channel, event_line
from ..records import RunInput
from ..run import Run

LONGEST_PREVIEW = 200  # characters


class Asked(NamedTuple):
    """What the caller asked of the agent, and what the operator set: `options` go to the framework's own call."""

    given: RunInput
    run: Run
    options: dict[str, Any]


class Narration:
    """Any thread may tell. Blocks while the run is far ahead of the journal."""

    def __init__(
        self, run: Run, channel: Channel, deltas: Deltas, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`clock`: seconds, for the durations of tools."""
        self._run = run
        self._channel = channel
        self._deltas = deltas
        self._clock = clock
        self._tools: dict[str, tuple[str, float]] = {}  # that are at work: id → name and since when
        self._input_tokens = 0
        self._output_tokens = 0

    @property
    def has_said(self) -> bool:
        """Whether there was any text."""
        return self._deltas.joined is not None

    def text(self, delta: str | None) -> None:
        """A piece of the answer; nothing for none."""
        if delta:
            self._deltas.send(delta)

    def reasoning(self, delta: str | None) -> None:
        """A piece of what the model thinks; nothing for none."""
        if delta:
            self._tell("reasoning.delta", {"delta": delta})

    def tool_started(self, call_id: str, tool: str, arguments: Any) -> None:
        """A tool has begun; `call_id` tells this call from others of the same tool."""
        self._tools[call_id] = (tool, self._clock())
        self._tell("tool.started", {"tool": tool, "preview": preview(arguments)})

    def tool_completed(self, call_id: str, error: bool = False, tool: str = "") -> None:
        """It has ended. One that was never said to have begun took no time, and is called `tool`."""
        name, since = self._tools.pop(call_id, (tool, None))
        duration = 0.0 if since is None else self._clock() - since
        self._tell("tool.completed", {"tool": name, "duration": round(duration, 3), "error": error})

    def tools_completed(self, error: bool = False) -> None:
        """All that were at work have ended."""
        for call_id in list(self._tools):
            self.tool_completed(call_id, error)

    def used(self, input_tokens: int | None, output_tokens: int | None) -> None:
        """Tokens so far, in all."""
        self._input_tokens, self._output_tokens = input_tokens or 0, output_tokens or 0
        self._run.usage(input_tokens=self._input_tokens, output_tokens=self._output_tokens)

    def used_more(self, input_tokens: int | None, output_tokens: int | None) -> None:
        """Tokens of one more request."""
        self.used(self._input_tokens + (input_tokens or 0), self._output_tokens + (output_tokens or 0))

    def _tell(self, event: str, fields: dict[str, Any]) -> None:
        self._channel.write(event_line(event, fields))


def preview(arguments: Any) -> str:
    """What a tool was called with, short enough to read: its one argument if that is text, else JSON."""
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except ValueError:
            pass  # no JSON: it is text
    if isinstance(arguments, dict) and len(arguments) == 1:
        (only,) = arguments.values()
        arguments = only if isinstance(only, str) else arguments
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST_PREVIEW else f"{text[: LONGEST_PREVIEW - 1]}…"


def plain(value: Any) -> Any:
    """The same as JSON has it: pydantic's models as dicts, and text that is more than text as text."""
    dump = getattr(value, "model_dump", None)
    if callable(dump) and not isinstance(value, type):
        return dump(mode="json")
    match value:
        case dict():
            return {name: plain(each) for name, each in value.items()}
        case list() | tuple():
            return [plain(each) for each in value]
        case str() if type(value) is not str:
            return str(value)
        case _:
            return value


def text_of(content: Any) -> str:
    """The text of a message's content, which is text or a list of parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(each.get("text") or "" for each in parts if isinstance(each, dict))
