"""What a run said, as one text: gathered from its events, and set right by its record once it is over. Pure.

A run's output counts. Where it has none (it failed, was killed, or said too much to keep), what it streamed is the
text; that is bounded, and admits it if something is missing.
"""

from typing import Any, NamedTuple

import msgspec

from ..actors.records import Reason, RunRecord, Status
from .frames import Slice
from .paging import Gap

LONGEST_TEXT = 2**22  # characters of deltas that are kept
_MOST_PARTS = 4096  # that are kept apart: a text of one character weighs fifty bytes


class _Line(msgspec.Struct):
    event: str
    delta: Any = None


_line = msgspec.json.Decoder(_Line)


class End(NamedTuple):
    """How a run ended. `rest`: what of `text` was not streamed; `whole`: nothing of it is missing."""

    status: Status
    reason: Reason | None
    text: str
    rest: str
    whole: bool
    error: str | None


class Said:
    """Gathers the events of one run, in order."""

    def __init__(self) -> None:
        self.started = False
        self._joined: list[str] = []  # each of many parts
        self._parts: list[str] = []
        self._length = 0
        self._whole = True

    def hear(self, events: Slice) -> list[str]:
        """The deltas among the next events."""
        if isinstance(events, Gap):
            self._whole = False
        deltas: list[str] = []
        for line in events.lines.split(b"\n"):
            if line:
                self._hear_line(_line.decode(line), deltas)
        return deltas

    def end(self, record: RunRecord) -> End:
        """Of a run that is over."""
        streamed = "".join((*self._joined, *self._parts))
        text, whole, rest = streamed, self._whole, ""
        if record.output is not None:
            text, whole = _as_text(record.output), True
            if self._whole and text.startswith(streamed):
                rest = text[len(streamed) :]
        whole = whole and record.reason is not Reason.OUTPUT_LIMIT
        return End(record.status, record.reason, text, rest, whole, record.error)

    def _hear_line(self, line: _Line, deltas: list[str]) -> None:
        if line.event == "message.delta" and isinstance(line.delta, str):
            deltas.append(line.delta)
            self._keep(line.delta)
        elif line.event == "run.started":
            self.started = True
        elif line.event == "run.restarting":  # what was said counts no more
            self._joined.clear()
            self._parts.clear()
            self._length, self._whole = 0, True

    def _keep(self, delta: str) -> None:
        room = LONGEST_TEXT - self._length
        self._whole = self._whole and len(delta) <= room
        if room:
            self._parts.append(delta[:room])
            self._length += min(len(delta), room)
            if len(self._parts) == _MOST_PARTS:
                self._joined.append("".join(self._parts))
                self._parts.clear()


def _as_text(output: msgspec.Raw) -> str:
    value = msgspec.json.decode(output)
    return value if isinstance(value, str) else bytes(output).decode()
