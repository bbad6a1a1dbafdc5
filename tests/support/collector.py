"""A real OTLP collector beside the test, and what it was told, decoded by OpenTelemetry's own protobuf."""

import base64
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

PROGRAM = Path(__file__).parent / "programs" / "collector.py"


class Span(NamedTuple):
    """One, as far as tests ask. Ids are hexadecimal, times are Unix seconds."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]
    events: list[tuple[str, float]]
    status: dict[str, str]
    began: float
    ended: float


class Collector:
    """What came so far."""

    def __init__(self, port: int, file: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._file = file

    @property
    def requests(self) -> list[dict[str, Any]]:
        lines = self._file.read_text().splitlines() if self._file.exists() else []
        return [json.loads(line) for line in lines]

    @property
    def raw(self) -> bytes:
        """All bytes that came."""
        return b"".join(bytes.fromhex(each["raw"]) for each in self.requests)

    @property
    def resources(self) -> list[dict[str, Any]]:
        return [_attributes(each["resource"]) for told in self._told() for each in told["resourceSpans"]]

    @property
    def spans(self) -> list[Span]:
        return [
            _span(span)
            for told in self._told()
            for resource in told["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]

    def of_run(self, run_id: str) -> list[Span]:
        """Those of this run itself; one, where all is well."""
        return [
            span
            for span in self.spans
            if span.name.startswith("invoke_agent") and span.attributes["runward.run.id"] == run_id
        ]

    def _told(self) -> list[dict[str, Any]]:
        return [each["told"] for each in self.requests]


@contextmanager
def collecting(python: str, folder: Path) -> Iterator[Collector]:
    """A collector, run by this interpreter, until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "spans"
    with subprocess.Popen(
        [python, "-P", PROGRAM, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield Collector(int(process.stdout.readline()), file)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait(30) == 0


def _span(told: dict[str, Any]) -> Span:
    return Span(
        told["name"],
        _hex(told["traceId"]),
        _hex(told["spanId"]),
        _hex(told.get("parentSpanId", "")),
        _attributes(told),
        [(event["name"], _seconds(event["timeUnixNano"])) for event in told.get("events", [])],
        told.get("status", {}),
        _seconds(told["startTimeUnixNano"]),
        _seconds(told["endTimeUnixNano"]),
    )


def _attributes(told: dict[str, Any]) -> dict[str, Any]:
    return {each["key"]: next(iter(each["value"].values())) for each in told.get("attributes", [])}


def _hex(text: str) -> str:
    return base64.b64decode(text).hex()


def _seconds(text: str) -> float:
    return int(text) / 1e9
