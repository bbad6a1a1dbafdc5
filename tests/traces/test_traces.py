"""Spans of requests and runs, as a real collector is told of them."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..bin.processes import free_port
from ..support.client import Json
from ..support.collector import Collector, Span, collecting
from ..support.extras import python_with
from ..support.server import Server, agent, running
from ..support.waiting import AT_LAST_S, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

KEY = "the-key-of-these-tests"
TOKEN = "what-the-collector-asks-for"
TRACE, ABOVE = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
# Its environment has runward by itself.
ALONE = {"PYTHONPATH": "", "OTEL_BSP_SCHEDULE_DELAY": "100"}


@pytest.fixture(scope="module")
def python() -> str:
    return python_with("otel")


@pytest.fixture(scope="module")
def collector(python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    with collecting(python, tmp_path_factory.mktemp("collector")) as collector:
        yield collector


@pytest.fixture(scope="module")
def server(python: str, collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With two facades, of which one tells of runs."""
    config = {
        "telemetry": {"traces": True},
        "http": {"workers": 2},
        "agents": {
            "parent": agent("spawning", "parent", spawn=["leaf"]),
            "leaf": agent("spawning", "leaf"),
        },
    }
    variables = {
        **ALONE,
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer {TOKEN}",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=tests",
    }
    with running(
        tmp_path_factory.mktemp("traces"), config, KEY, variables=variables, python=python
    ) as server:
        yield server


def start(server: Server, agent: str, text: str, **headers: str) -> str:
    body = {"agent": agent, "input": text}
    answer = server.client.ask("POST", "/v1/runs", body, headers)
    assert answer.status == 202, answer.body
    return str(answer.json["run_id"])


def span_of(collector: Collector, run_id: str) -> Span:
    """The run's, once it has come."""
    until(lambda: collector.of_run(run_id), AT_LAST_S, f"the span of {run_id}")
    [span] = collector.of_run(run_id)
    return span


def request_of(collector: Collector, name: str, run_id: str) -> Span:
    def found() -> list[Span]:
        return [
            span
            for span in collector.spans
            if span.name == name and span.attributes.get("runward.run.id") == run_id
        ]

    until(found, AT_LAST_S, f"{name} of {run_id}")
    [span] = found()
    return span


def test_a_run_is_a_span_below_its_request_which_is_below_the_callers(
    server: Server, collector: Collector
) -> None:
    run_id = start(server, "echo", "words-that-are-nobodys", traceparent=f"00-{TRACE}-{ABOVE}-01")
    run = server.client.ended(run_id)
    asked = request_of(collector, "POST /v1/runs", run_id)
    assert (asked.trace_id, asked.parent_id) == (TRACE, ABOVE)
    assert asked.attributes["http.response.status_code"] == "202"
    assert asked.attributes["http.route"] == "/v1/runs"
    span = span_of(collector, run_id)
    assert (span.name, span.trace_id, span.parent_id) == ("invoke_agent echo", TRACE, asked.span_id)
    told = span.attributes
    assert (told["gen_ai.agent.name"], told["runward.run.status"]) == ("echo", "completed")
    assert (told["runward.run.reason"], told["runward.exit.survivors"]) == ("completed", "0")
    assert told["runward.run.events"] == str(run["last_seq"])
    assert span.status == {}
    times = [span.began, *(at for _, at in span.events), span.ended]
    expected = [run["created_at"], run["created_at"], run["started_at"], run["ended_at"]]
    assert times == pytest.approx(expected, abs=1e-5)
    assert [name for name, _ in span.events] == ["run.queued", "run.started"]


def test_a_run_that_fails_says_why_in_our_words_alone(server: Server, collector: Collector) -> None:
    run_id = start(server, "crash", "exception")
    assert "crashed, as asked" in server.client.ended(run_id)["error"]
    span = span_of(collector, run_id)
    assert span.status == {"code": "STATUS_CODE_ERROR", "message": "exception"}
    assert span.attributes["runward.run.reason"] == "exception"


def test_a_run_below_a_run_is_a_span_below_its_span(server: Server, collector: Collector) -> None:
    asked = '{"agent": "leaf", "input": "x"}'
    run_id = start(server, "parent", asked, traceparent=f"00-{'ab' * 16}-{ABOVE}-01")
    output: Json = server.client.ended(run_id)["output"]
    parent, child = span_of(collector, run_id), span_of(collector, output["run_id"])
    assert (
        (child.trace_id, child.parent_id) == (parent.trace_id, parent.span_id) == ("ab" * 16, parent.span_id)
    )
    assert child.attributes["runward.run.parent_id"] == run_id


def test_what_the_caller_does_not_keep_is_not_sent(server: Server, collector: Collector) -> None:
    run_id = start(server, "echo", "x", traceparent=f"00-{'cd' * 16}-{ABOVE}-00")
    server.client.ended(run_id)
    later = start(server, "echo", "x")
    server.client.ended(later)
    span_of(collector, later)
    assert collector.of_run(run_id) == []
    assert "cd" * 16 not in {span.trace_id for span in collector.spans}


def replaced(server: Server, name: str) -> None:
    """Kill this process of the server, and wait for the next one."""
    before = server.member(name).pid
    os.kill(before, signal.SIGKILL)
    until(lambda: server.member(name).pid != before, AT_LAST_S, f"another {name}")


def test_a_run_outlives_the_facades_in_the_trace_of_its_request(server: Server, collector: Collector) -> None:
    run_id = start(server, "count", "for ever", traceparent=f"00-{'ef' * 16}-{ABOVE}-01")
    for name in ("facade 1", "facade 2"):
        replaced(server, name)
    until(server.client.is_healthy, AT_LAST_S, "its health")
    server.client.kill(run_id, wait=True)
    span = span_of(collector, run_id)
    assert (span.trace_id, span.attributes["runward.exit.rung"]) == ("ef" * 16, "kill")


def test_answers_that_are_no_runs_have_spans_too_and_no_words_of_the_client(
    server: Server, collector: Collector
) -> None:
    server.client.ask("GET", "/v1/runs/secret-words-of-a-path?token=secret-words-of-a-query")
    server.client.ask("GET", "/no/such/secret-words-of-a-path")
    assert server.with_key("wrong").ask("GET", "/v1/agents").status == 401

    def told() -> set[tuple[str, Any]]:
        return {(each.name, each.attributes.get("http.response.status_code")) for each in collector.spans}

    expected = {("GET /v1/runs/{run_id}", "404"), ("GET", "404"), ("GET /v1/agents", "401")}
    until(lambda: expected <= told(), AT_LAST_S, lambda: f"{expected - told()}")


def test_nothing_that_is_secret_or_that_somebody_wrote_is_in_any_span(
    server: Server, collector: Collector
) -> None:
    """The last of this server's: all that came."""
    assert collector.raw
    for words in (KEY, TOKEN, "words-that-are-nobodys", "secret-words", "crashed, as asked"):
        assert words.encode() not in collector.raw
    assert {each["headers"]["authorization"] for each in collector.requests} == {f"Bearer {TOKEN}"}
    for resource in collector.resources:
        assert (resource["service.name"], resource["deployment.environment.name"]) == ("runward", "tests")
    assert TOKEN not in (server.folder / "state" / "settings.json").read_text()


def test_a_collector_that_is_away_holds_up_nobody(python: str, tmp_path: Path) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/v1/traces"
    config = {"telemetry": {"traces": True, "endpoint": nowhere}}
    with running(tmp_path, config, variables=ALONE, python=python) as server:
        for _ in range(3):
            assert server.client.ended(server.client.start("echo"))["status"] == "completed"
