"""Readers of event streams that are not ours read ours as they are: httpx-sse, curl, a browser's EventSource."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from httpx_sse import ServerSentEvent, connect_sse

from ..support.browser import chromium, watched
from ..support.keys import ALICE, AUTH, OPERATOR
from ..support.server import Server, agent, running
from ..support.waiting import AT_LAST_S, until

BODY = {"agent": "act", "input": "spells hello"}
AUTHORIZED = {"Authorization": f"Bearer {ALICE}"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = {"auth": AUTH, "agents": {"act": agent("acting", "act")}}
    with running(tmp_path_factory.mktemp("clients"), config, OPERATOR) as server:
        server.client.ended(server.client.start("act", "answers x"))
        yield server


def _events(house: Server, run_id: str) -> list[Any]:
    return house.with_key(ALICE).events(run_id)


# ── httpx-sse ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def http(house: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=house.url, headers=AUTHORIZED, timeout=AT_LAST_S) as client:
        yield client


def _as_sent(events: list[ServerSentEvent]) -> list[Any]:
    """The data of events, of which the ids are the numbers of the first's successors."""
    data = [event.json() for event in events]
    assert [event.id for event in events] == [str(each["seq"]) for each in data]
    assert all(event.event == "message" for event in events)
    return data


def test_httpx_sse_reads_a_run_and_takes_it_up_where_it_was(house: Server, http: httpx.Client) -> None:
    run_id = http.post("/v1/runs", json=BODY).json()["run_id"]
    path = f"/v1/runs/{run_id}/events"
    with connect_sse(http, "GET", path) as source:
        events = list(source.iter_sse())
    assert events[0].retry == 1000
    whole = _as_sent([event for event in events if event.data])
    assert whole == _events(house, run_id)
    with connect_sse(http, "GET", path, headers={"Last-Event-ID": "3"}) as source:
        assert _as_sent([event for event in source.iter_sse() if event.data]) == whole[3:]


def test_httpx_sse_reads_the_stream_that_a_start_is_answered_by(house: Server, http: httpx.Client) -> None:
    with connect_sse(http, "POST", "/v1/runs", json=BODY) as source:  # it asks for text/event-stream
        data = _as_sent([event for event in source.iter_sse() if event.data])
    assert data == _events(house, data[0]["run_id"])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "spells hello"}]}),
        ("/v1/responses", {"input": "spells hello"}),
    ],
)
def test_httpx_sse_reads_what_is_openais(http: httpx.Client, path: str, body: Any) -> None:
    with connect_sse(http, "POST", path, json={"model": "act", "stream": True, **body}) as source:
        events = list(source.iter_sse())
    assert "".join(_delta(event) for event in events) == "hello"


def _delta(event: ServerSentEvent) -> str:
    if event.data == "[DONE]" or event.event == "response.output_text.done":
        return ""
    data = event.json()
    found = data.get("delta") if "type" in data else data["choices"][0]["delta"].get("content")
    return found or ""


# ── curl ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _curl(house: Server, path: str, *more: str) -> list[str]:
    """The lines that `curl -N` prints."""
    command = ["curl", "-sSN", "-m", str(AT_LAST_S), "-H", f"Authorization: Bearer {ALICE}", *more]
    done = subprocess.run(
        [*command, house.url + path], capture_output=True, text=True, timeout=2 * AT_LAST_S, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_curl_reads_a_run(house: Server) -> None:
    lines = _curl(house, "/v1/runs", "-H", "Accept: text/event-stream", "--json", json.dumps(BODY))
    data = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    assert data == _events(house, data[0]["run_id"])
    assert (lines[0], lines[-2]) == ("retry: 1000", ": stream closed")
    assert _curl(house, f"/v1/runs/{data[0]['run_id']}/events") == lines


def test_curl_reads_a_completion(house: Server) -> None:
    body = {"model": "act", "stream": True, "messages": [{"role": "user", "content": "spells hi"}]}
    lines = _curl(house, "/v1/chat/completions", "--json", json.dumps(body))
    assert lines[-2:] == ["data: [DONE]", ""]
    assert '"content":"h"' in lines[2]


# ── a browser ─────────────────────────────────────────────────────────────────────────────────────────────────────

# No `close`: a browser that is told all comes again by itself, is answered 204, and gives up.
FOLLOW = """
([key, body]) => new Promise(async (resolve, reject) => {
  const asked = (path, body) => fetch(path, {
    method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body),
  });
  const session = await asked("/v1/session", {key});
  if (!session.ok) reject(`session: ${session.status}`);
  const {run_id} = await (await asked("/v1/runs", body)).json();
  window.runId = run_id;
  const source = new EventSource(`/v1/runs/${run_id}/events`);
  const heard = [];
  source.onmessage = ({data, lastEventId}) => {
    const event = JSON.parse(data);
    heard.push([lastEventId, event]);
    window.heard = heard.length;
  };
  source.onerror = () => { if (source.readyState === EventSource.CLOSED) resolve(heard); };
})
"""
PAGE = "<!doctype html><html><head><link rel='icon' href='data:,'></head><body></body></html>"


@pytest.mark.slow
def test_a_browser_follows_a_run_by_its_cookie_and_through_a_restart_of_the_facade(house: Server) -> None:
    """The page is the test's own, put in place of one of this server's."""
    with chromium() as browser, watched(browser, house.url) as seen:
        seen.page.route(f"{house.url}/page", lambda route: route.fulfill(body=PAGE, content_type="text/html"))
        seen.page.goto(f"{house.url}/page")
        seen.page.evaluate("window.heard = 0")
        body = {"agent": "act", "input": "obeys"}
        seen.page.evaluate(f"window.followed = ({FOLLOW})({json.dumps([ALICE, body])}); null")
        seen.page.wait_for_function("window.heard >= 3")  # queued, started, ready
        run_id = seen.page.evaluate("window.runId")
        os.kill(house.member("facade 1").pid, signal.SIGKILL)
        until(house.client.is_healthy, AT_LAST_S, "another facade")
        house.client.stop(run_id)
        heard = seen.page.evaluate("window.followed")
    assert [event for _, event in heard] == _events(house, run_id)
    assert [id for id, _ in heard] == [str(event["seq"]) for _, event in heard]
    assert heard[-1][1]["event"] == "run.cancelled"
    assert seen.outside == []
