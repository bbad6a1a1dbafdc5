"""A run as a chat completion: its end as one object, or its events as chunks. Pure.

Tools, reasoning and whatever else a run tells is no content of a chat and is left out; `GET /v1/runs/{run_id}/events`
has it.
"""

import msgspec

from ..actors.records import Reason, RunRecord, Status, Usage
from .errors import Problem
from .openai_schemas import (
    ChatChunk,
    ChatCompletion,
    ChatMessage,
    ChatUsage,
    Choice,
    ChunkChoice,
    Delta,
    FinishReason,
)
from .openai_text import End

DONE = b"data: [DONE]\n\n"
FINAL = {"X-Should-Retry": "false"}  # OpenAI's client would start the run again, twice


def completion_id(run_id: str) -> str:
    """The id that a run has as a completion."""
    return f"chatcmpl-{run_id.removeprefix('run_')}"


def completion(record: RunRecord, end: End) -> ChatCompletion:
    """What a run answered that completed, or that was ended for saying too much; else raises `Problem`."""
    finish = finish_reason(end)
    return ChatCompletion(
        id=completion_id(record.run_id),
        created=int(record.created_at),
        model=record.agent,
        choices=[Choice(message=ChatMessage(content=end.text), finish_reason=finish)],
        usage=_usage(record.usage),
    )


def finish_reason(end: End) -> FinishReason:
    """Why the text ends where it ends. Raises `Problem` where there is no answer."""
    if end.status is Status.COMPLETED:
        return "stop" if end.whole else "length"
    if end.reason is Reason.OUTPUT_LIMIT:
        return "length"
    if end.status is Status.CANCELLED:
        raise Problem("run_cancelled", f"The run was stopped ({end.reason}).", headers=FINAL)
    raise Problem(
        "run_failed", f"The run failed ({end.reason}): {end.error or 'no more is known'}", headers=FINAL
    )


class Chunks:
    """The frames of one stream."""

    def __init__(self, record: RunRecord, *, with_usage: bool) -> None:
        self._chunk = ChatChunk(
            id=completion_id(record.run_id),
            created=int(record.created_at),
            model=record.agent,
            choices=[],
            usage=None if with_usage else msgspec.UNSET,
        )
        self._with_usage = with_usage

    def begin(self) -> bytes:
        """Whose the text will be."""
        return self._frame(Delta(role="assistant", content=""))

    def said(self, deltas: list[str]) -> bytes:
        """A frame for each delta."""
        return b"".join([self._frame(Delta(content=delta)) for delta in deltas])

    def end(self, record: RunRecord, end: End) -> bytes:
        """What was not streamed yet, why it ends, and the usage if it was asked for; or the error."""
        rest = self.said([end.rest]) if end.rest else b""
        try:
            last = self._frame(Delta(), finish_reason(end))
        except Problem as problem:
            return rest + failed(problem)
        usage = b""
        if self._with_usage:
            usage = _data(msgspec.structs.replace(self._chunk, usage=_usage(record.usage)))
        return rest + last + usage + DONE

    def _frame(self, delta: Delta, finish: FinishReason | None = None) -> bytes:
        self._chunk.choices = [ChunkChoice(delta=delta, finish_reason=finish)]
        frame = _data(self._chunk)
        self._chunk.choices = []
        return frame


def failed(problem: Problem) -> bytes:
    """The last frame of a stream that comes to nothing."""
    return b"data: %b\n\n" % problem.body


def _data(chunk: ChatChunk) -> bytes:
    return b"data: %b\n\n" % msgspec.json.encode(chunk)


def _usage(usage: Usage | None) -> ChatUsage:
    counted = usage or Usage()
    return ChatUsage(counted.input_tokens, counted.output_tokens, counted.total_tokens)
