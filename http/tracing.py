"""Spans, made and sent by OpenTelemetry: one for each request, one for each run that ended.

The only module that knows the library, imported only where `telemetry.traces` is on (the extra `otel`). Its exporter
sends from a thread of its own, in batches; what a collector does not take is dropped, and holds up nobody.
"""

import asyncio
import os
import random
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from aiohttp import web
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from .. import __version__
from ..actors.records import RunRecord, Status
from . import traces
from .auditing import WHO
from .figures import METHODS
from .guard import REQUEST_ID
from .traces import Handler, Place, Span

FLUSH_S = 2.0  # at the end of this facade
_RUNS = "/v1/runs/"


class Tracing:
    """Of one facade process; a `traces.Traces`."""

    def __init__(self, endpoint: str, variables: Mapping[str, str]) -> None:
        """From now on the library's own variables are in this process's environment. No endpoint: as those say."""
        os.environ.update(variables)
        if "service.name=" not in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", ""):
            os.environ.setdefault("OTEL_SERVICE_NAME", "runward")
        self._ids = _Ids()
        self._provider = TracerProvider(
            resource=Resource.create({"service.version": __version__}),
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        exporter = OTLPSpanExporter(endpoint=endpoint or None)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("runward", __version__)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """A span from a request's head to the end of its answer, which for a stream is late."""
        span = self._asked(request)
        made = span.get_span_context()
        sampled = bool(made.trace_flags & TraceFlags.SAMPLED)
        request[traces.PARENT] = traces.written(Span(made.trace_id, made.span_id, sampled))
        try:
            response = await handler(request)
            _answered(span, request, response)
            return response
        except web.HTTPException as answer:
            _answered(span, request, answer)
            raise
        except asyncio.CancelledError:
            span.set_attribute("error.type", "the client left")
            raise
        except BaseException as error:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(StatusCode.ERROR)
            raise
        finally:
            span.end()

    def run_ended(self, record: RunRecord, place: Place) -> None:
        """Its span, from the request to the proof of its end."""
        above = Span(place.trace_id, place.above, place.sampled) if place.above else None
        self._ids.next = place
        span = self._tracer.start_span(
            f"invoke_agent {record.agent}",
            context=_context(above),
            start_time=_ns(record.created_at),
            attributes=traces.attributes(record),
        )
        self._ids.next = None
        span.add_event("run.queued", timestamp=_ns(record.created_at))
        if record.started_at is not None:
            span.add_event("run.started", timestamp=_ns(record.started_at))
        if record.status is Status.FAILED:
            span.set_status(StatusCode.ERROR, record.reason)
        span.end(_ns(record.ended_at or record.updated_at))

    async def close(self) -> None:
        """Send what is left, for `FLUSH_S` at the longest."""
        loop, sent = asyncio.get_running_loop(), asyncio.Event()

        def send() -> None:
            self._provider.shutdown()
            with suppress(RuntimeError):  # the loop is gone
                loop.call_soon_threadsafe(sent.set)

        threading.Thread(target=send, daemon=True).start()
        with suppress(TimeoutError):
            await asyncio.wait_for(sent.wait(), FLUSH_S)

    def _asked(self, request: web.Request) -> Any:
        resource = request.match_info.route.resource
        method = request.method if request.method in METHODS else "HTTP"
        asked = {"http.request.method": method, "url.scheme": request.scheme}
        if resource is not None:
            asked["http.route"] = resource.canonical
        return self._tracer.start_span(
            method if resource is None else f"{method} {resource.canonical}",
            context=_context(traces.read(request.headers.get(traces.HEADER, ""))),
            kind=SpanKind.SERVER,
            attributes=asked,
        )


class _Ids:
    """An IdGenerator: random ids, but for the span that is begun next, where its place is known."""

    next: Place | None = None

    def generate_trace_id(self) -> int:
        return random.getrandbits(128) or 1 if self.next is None else self.next.trace_id

    def generate_span_id(self) -> int:
        return random.getrandbits(64) or 1 if self.next is None else self.next.span_id

    def is_trace_id_random(self) -> bool:
        return self.next is None


def _context(above: Span | None) -> Any:
    if above is None:
        return Context()
    flags = TraceFlags(TraceFlags.SAMPLED if above.sampled else TraceFlags.DEFAULT)
    remote = SpanContext(above.trace_id, above.span_id, is_remote=True, trace_flags=flags)
    return set_span_in_context(NonRecordingSpan(remote), Context())


def _answered(span: Any, request: web.Request, response: web.StreamResponse) -> None:
    span.set_attribute("http.response.status_code", response.status)
    if REQUEST_ID in response.headers:
        span.set_attribute("runward.request_id", response.headers[REQUEST_ID])
    if (who := request.get(WHO)) is not None:
        span.set_attribute("runward.key", who.name)
    run_id = request.match_info.get("run_id") or response.headers.get("Location", "").removeprefix(_RUNS)
    if run_id and response.status < 400:  # else it may be no run's, but a client's own words
        span.set_attribute("runward.run.id", run_id)
    if response.status >= 500:
        span.set_status(StatusCode.ERROR)


def _ns(unix_s: float) -> int:
    return int(unix_s * 1e9)
