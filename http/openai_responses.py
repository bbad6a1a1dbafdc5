"""A run as a response: as it begins, and as it ended. Pure."""

from typing import NamedTuple

from ..actors.records import Reason, ResponseAsked, RunInput, RunRecord, Status, Usage
from .openai_conversation import Message
from .openai_schemas import (
    IncompleteDetails,
    ItemStatus,
    OutputMessage,
    OutputText,
    Response,
    ResponseError,
    ResponseStatus,
    ResponseUsage,
)
from .openai_text import End


class Asked(NamedTuple):
    """A run that was begun as a response."""

    key: int
    record: RunRecord
    given: RunInput


def response_id(run_id: str) -> str:
    """The id that a run has as a response."""
    return f"resp_{run_id.removeprefix('run_')}"


def run_id(response_id: str) -> str | None:
    """The run that goes by this id; None if none can."""
    kind, _, rest = response_id.partition("_")
    return f"run_{rest}" if kind == "resp" and rest.isascii() else None


def live(asked: Asked, status: ResponseStatus | None = None) -> Response:
    """Of a run that is not over, or was not when its `status` was this."""
    now: ResponseStatus = "queued" if asked.record.status is Status.QUEUED else "in_progress"
    return _response(asked, status or now)


def ended(asked: Asked, end: End) -> Response:
    """Of a run that is over."""
    status = status_of(end)
    response = _response(asked, status)
    response.output = [message(asked, end.text, "completed" if status == "completed" else "incomplete")]
    if not end.text and status != "completed":
        response.output = []
    response.usage = _usage(asked.record.usage or Usage())
    if status == "completed":
        response.completed_at = asked.record.ended_at
    elif status == "incomplete":
        response.incomplete_details = IncompleteDetails()
    elif status == "failed":
        response.error = ResponseError(f"The run failed ({end.reason}): {end.error or 'no more is known'}")
    return response


def status_of(end: End) -> ResponseStatus:
    """What the end of a run is for a response."""
    if end.reason is Reason.OUTPUT_LIMIT:
        return "incomplete"
    if end.status is Status.COMPLETED:
        return "completed" if end.whole else "incomplete"
    return "cancelled" if end.status is Status.CANCELLED else "failed"


def message(asked: Asked, text: str, status: ItemStatus) -> OutputMessage:
    """What the agent said, as the one item of the output."""
    return OutputMessage(
        id=f"msg_{asked.record.run_id.removeprefix('run_')}",
        status=status,
        content=[OutputText(text=text)],
    )


def history_after(asked: Asked, end: End) -> list[Message]:
    """What was said up to the end of this response, for the next one."""
    answer = [{"role": "assistant", "content": end.text}] if end.text else []
    return [*asked.given.history, {"role": "user", "content": asked.given.input}, *answer]


def _response(asked: Asked, status: ResponseStatus) -> Response:
    record, given = asked.record, asked.given
    how = given.response or ResponseAsked()
    return Response(
        id=response_id(record.run_id),
        created_at=record.created_at,
        completed_at=None,
        status=status,
        model=record.agent,
        output=[],
        error=None,
        incomplete_details=None,
        usage=None,
        instructions=given.instructions,
        metadata=record.metadata,
        previous_response_id=how.previous_response_id,
        background=how.background,
        store=how.store,
    )


def _usage(usage: Usage) -> ResponseUsage:
    return ResponseUsage(usage.input_tokens, usage.output_tokens, usage.total_tokens)
