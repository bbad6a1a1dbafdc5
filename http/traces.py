"""Where a request and a run stand in a trace, and what a run's span says of it. Pure; knows no telemetry library.

The ids of a run's span follow from its own id, so whoever tells of the run, or of one below it, names the same span.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from hashlib import blake2b
from typing import NamedTuple, Protocol

from aiohttp import web

from ..actors.records import RunRecord
from .auditing import request_key

PARENT = request_key("trace parent")  # `written`: of the span of this request, where it has one
HEADER = "traceparent"
_FORMAT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?\Z")
_SAMPLED = 1

Attributes = dict[str, str | int | float]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Span(NamedTuple):
    """One that somebody else told of: its trace, itself, and whether it is kept."""

    trace_id: int
    span_id: int
    sampled: bool


class Place(NamedTuple):
    """Where a run's span stands. `above` is 0 where nothing is above it."""

    trace_id: int
    span_id: int
    above: int
    sampled: bool


class Traces(Protocol):
    """Who makes spans and sends them: `tracing.Tracing`."""

    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """aiohttp's: a span for each request."""

    def run_ended(self, record: RunRecord, place: Place) -> None:
        """A run is over: its span."""

    async def close(self) -> None:
        """Send what is left, for as long as that may take."""


def read(header: str) -> Span | None:
    """What a `traceparent` says (W3C Trace Context, 3.2); None for what is none."""
    found = _FORMAT.match(header)
    if found is None or found[1] == "ff" or (found[1] == "00" and found[5]):
        return None
    trace_id, span_id = int(found[2], 16), int(found[3], 16)
    return Span(trace_id, span_id, bool(int(found[4], 16) & _SAMPLED)) if trace_id and span_id else None


def written(span: Span) -> str:
    """The `traceparent` of a span."""
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{_SAMPLED if span.sampled else 0:02x}"


def place_of(record: RunRecord, above: Sequence[RunRecord]) -> Place:
    """Below the request that started the run, or below its parent run. `above`: its parent, and so on to the root."""
    own = _span_id(record.run_id)
    asked = read(record.trace_parent)
    if asked is not None:
        return Place(asked.trace_id, own, asked.span_id, asked.sampled)
    if record.parent_run_id is None:
        return Place(_trace_id(record.run_id), own, 0, True)
    told = next((span for each in above if (span := read(each.trace_parent)) is not None), None)
    if told is None:
        root = above[-1].run_id if above else record.parent_run_id
        return Place(_trace_id(root), own, _span_id(record.parent_run_id), True)
    return Place(told.trace_id, own, _span_id(record.parent_run_id), told.sampled)


def attributes(record: RunRecord) -> Attributes:
    """What the span of an ended run says: nothing that a client or an agent wrote."""
    found: dict[str, str | int | float | None] = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": record.agent,
        "runward.run.id": record.run_id,
        "runward.run.parent_id": record.parent_run_id,
        "runward.run.status": record.status.value,
        "runward.run.reason": record.reason.value if record.reason is not None else None,
        "runward.run.attempt": record.attempt,
        "runward.run.events": record.last_seq,
    }
    if record.usage is not None:
        found["gen_ai.usage.input_tokens"] = record.usage.input_tokens
        found["gen_ai.usage.output_tokens"] = record.usage.output_tokens
    if record.exit is not None:
        found["runward.exit.rung"] = record.exit.rung
        found["runward.exit.took_ms"] = record.exit.took_ms
        found["runward.exit.proof"] = record.exit.proof
        found["runward.exit.survivors"] = len(record.exit.survivors)
    return {name: value for name, value in found.items() if value is not None}


def _trace_id(run_id: str) -> int:
    return int.from_bytes(blake2b(run_id.encode(), digest_size=16, person=b"trace").digest()) or 1


def _span_id(run_id: str) -> int:
    return int.from_bytes(blake2b(run_id.encode(), digest_size=8, person=b"span").digest()) or 1
