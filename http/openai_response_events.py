"""The events of a response, in order: `created`, `in_progress`, one message with its deltas, the end. Pure.

They are a function of the run's events and its record, so whoever comes again is told the same with the same numbers.
A cancelled response has no event of its own with OpenAI: it ends with `response.incomplete`, and says `cancelled`.
"""

from typing import Any

import msgspec

from ..actors.records import RunRecord
from . import openai_responses
from .errors import Problem
from .frames import Slice
from .openai_responses import Asked
from .openai_schemas import OutputText, Response
from .openai_text import Said

_LAST = {"completed": "response.completed", "failed": "response.failed"}
_OTHER = "response.incomplete"


class Events:
    """The frames of one stream, of which the first `seen` were seen. `openai_runs.Frames`."""

    def __init__(self, asked: Asked, seen: int = 0) -> None:
        self._asked = asked
        self._seen = seen
        self._number = 0  # of the next
        self._said = Said()
        self._under_way = False
        self._speaking = False
        self._item_id = openai_responses.message(asked, "", "in_progress").id

    def begin(self) -> bytes:
        """It is there."""
        background = self._asked.given.response is not None and self._asked.given.response.background
        first = openai_responses.live(self._asked, "queued" if background else "in_progress")
        begun = self._event("response.created", response=first)
        return begun + self._event("response.queued", response=first) if background else begun

    def hear(self, piece: Slice) -> bytes:
        """The next events of the run."""
        deltas = self._said.hear(piece)
        begun = self._progress() if self._said.started else b""
        return begun + b"".join([self._delta(delta) for delta in deltas])

    def end(self, record: RunRecord) -> bytes:
        """The run is over."""
        asked = self._asked._replace(record=record)
        end = self._said.end(record)
        response = openai_responses.ended(asked, end)
        rest = self._delta(end.rest) if end.rest else b""
        spoken = self._spoken(response) if response.output or self._speaking else b""
        return rest + spoken + self._event(_LAST.get(response.status, _OTHER), response=response)

    def fail(self, problem: Problem) -> bytes:
        """It can't be told to its end. No event of the response: it has the number of the last one."""
        self._number -= 1
        self._seen = 0
        return self._event("error", code=problem.code, message=str(problem), param=problem.param)

    def _progress(self) -> bytes:
        if self._under_way:
            return b""
        self._under_way = True
        return self._event("response.in_progress", response=openai_responses.live(self._asked, "in_progress"))

    def _delta(self, delta: str) -> bytes:
        begun = self._progress() + self._speak()
        return begun + self._in_part("response.output_text.delta", delta=delta, logprobs=[])

    def _speak(self) -> bytes:
        if self._speaking:
            return b""
        self._speaking = True
        item = openai_responses.message(self._asked, "", "in_progress")
        item.content = []
        added = self._event("response.output_item.added", output_index=0, item=item)
        return added + self._in_part("response.content_part.added", part=OutputText(text=""))

    def _spoken(self, response: Response) -> bytes:
        """The end of the message, which nothing need have been said of before."""
        begun = self._progress() + self._speak()
        item = next(iter(response.output), openai_responses.message(self._asked, "", "incomplete"))
        (part,) = item.content
        text_done = self._in_part("response.output_text.done", text=part.text, logprobs=[])
        part_done = self._in_part("response.content_part.done", part=part)
        return (
            begun
            + text_done
            + part_done
            + self._event("response.output_item.done", output_index=0, item=item)
        )

    def _in_part(self, kind: str, **fields: Any) -> bytes:
        return self._event(kind, item_id=self._item_id, output_index=0, content_index=0, **fields)

    def _event(self, kind: str, **fields: Any) -> bytes:
        number, self._number = self._number, self._number + 1
        if number < self._seen:
            return b""
        data = msgspec.json.encode({"type": kind, "sequence_number": number, **fields})
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), data)
