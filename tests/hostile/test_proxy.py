"""Through the proxy an agent reaches what its configuration lists, and nothing else, whatever it says to it."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import pytest

from ..support import census
from ..support.server import Server, agent
from ..support.waiting import AT_LAST_S, until
from .houses import house, places_where

PLACES = [
    *places_where(lambda who, rung: (who, rung) == ("as_is", "pidns")),
    *(
        pytest.param(place, marks=pytest.mark.slow, id="-".join(place))
        for place in [("ordinary", "pidns"), ("as_is", "uid"), ("as_is", "scope")]
    ),
]


class Listed(ThreadingHTTPServer):
    """On the host's loopback. Keeps the head of every request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.port = self.server_address[1]
        self.heads: list[tuple[str, dict[str, str]]] = []


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Listed

    def do_GET(self) -> None:
        self.server.heads.append(
            (self.requestline, {name.lower(): text for name, text in self.headers.items()})
        )
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = f"{len(body)} bytes, thanks".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@contextmanager
def listed() -> Iterator[Listed]:
    with Listed() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class Place(NamedTuple):
    server: Server
    listed: Listed
    by_root: bool


@pytest.fixture(scope="module", params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with listed() as target:
        hosts = [f"127.0.0.1:{target.port}", f"localhost:{target.port}", "*.example:9"]
        proxied = {"network": "proxy", "allow_hosts": hosts}
        agents = {
            "offline": agent("networked", "insist"),
            **{name: agent("networked", name, **proxied) for name in ("reach", "hold")},
            "insist": agent("networked", "insist", network="proxy", allow_hosts=["*"]),
            "command": {
                "command": ["/bin/sh", "-c", f"curl -sS http://127.0.0.1:{target.port}/ >&2"],
                **proxied,
            },
        }
        config = {"agents": agents, "proxy": {"max_connections": 8}}
        with house(request.param, tmp_path_factory, config) as server:
            yield Place(server, target, request.param[0] == "as_is" and os.geteuid() == 0)


# By name: how, what, and how the answer begins. PORT is what the configuration lists, on the loopback.
REACHED = {
    "by_urllib": ("get", "http://127.0.0.1:PORT/x", "0 bytes, thanks"),
    "by_its_name": ("get", "http://localhost:PORT/x", "0 bytes, thanks"),
    "a_body": ("post", "http://127.0.0.1:PORT/x 300000", "300000 bytes, thanks"),
    "by_curl": ("curl", "http://127.0.0.1:PORT/x", "0 bytes, thanks"),
    "through_a_tunnel": ("curl", "-p http://127.0.0.1:PORT/x", "0 bytes, thanks"),
}
DENIED = "HTTP/1.1 403 "
REFUSED = {
    "loopback": (
        "get",
        "http://127.0.0.1:1/",
        "403 runward: the network was refused: 127.0.0.1:1, a loopback",
    ),
    "loopback_by_its_name": ("raw", "CONNECT localhost:22 HTTP/1.1\r\n\r\n", DENIED),
    "loopback_mapped": ("raw", "CONNECT [::ffff:127.0.0.1]:22 HTTP/1.1\r\n\r\n", DENIED),
    "loopback_6": ("raw", "CONNECT [::1]:22 HTTP/1.1\r\n\r\n", DENIED),
    "loopback_by_no_address": ("raw", "CONNECT 0.0.0.0:22 HTTP/1.1\r\n\r\n", DENIED),
    "loopback_in_other_words": ("raw", "CONNECT 2130706433:22 HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "),
    "loopback_in_few_words": ("raw", "CONNECT 127.1:22 HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "),
    "metadata": (
        "get",
        "http://169.254.169.254/latest/meta-data/",
        "403 runward: the network was refused: 169.254",
    ),
    "metadata_mapped": ("raw", "CONNECT [::ffff:a9fe:a9fe]:80 HTTP/1.1\r\n\r\n", DENIED),
    "private": ("raw", "CONNECT 10.0.0.1:443 HTTP/1.1\r\n\r\n", DENIED),
    "public": ("raw", "CONNECT 1.1.1.1:443 HTTP/1.1\r\n\r\n", DENIED),
    "a_host_that_is_not_listed": ("raw", "CONNECT example.com:443 HTTP/1.1\r\n\r\n", DENIED),
    "a_port_that_is_not_listed": ("raw", "CONNECT a.example:443 HTTP/1.1\r\n\r\n", DENIED),
    "the_domain_of_a_pattern": ("raw", "CONNECT example:9 HTTP/1.1\r\n\r\n", DENIED),
    "its_own_server": ("raw", "GET http://127.0.0.1:SERVER/v1/runs HTTP/1.1\r\n\r\n", DENIED),
    "a_user_before_the_host": (
        "raw",
        "GET http://127.0.0.1:PORT@10.0.0.1/ HTTP/1.1\r\n\r\n",
        "HTTP/1.1 400 ",
    ),
    "another_scheme": ("raw", "GET file:///etc/passwd HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "),
    "two_lengths": (
        "raw",
        "POST http://127.0.0.1:PORT/ HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 400 ",
    ),
    "a_length_and_chunks": (
        "raw",
        "POST http://127.0.0.1:PORT/ HTTP/1.1\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 411 ",
    ),
    "a_bare_newline": (
        "raw",
        "GET http://127.0.0.1:PORT/ HTTP/1.1\r\nX: 1\nHost: b\r\n\r\n",
        "HTTP/1.1 400 ",
    ),
    "a_giant_head": ("giant", "1000000", "HTTP/1.1 431 "),
    "past_the_proxy": ("connect", "1.1.1.1:443", "OSError [Errno 101] Network is unreachable"),
    "past_the_proxy_to_the_host": ("connect", "127.0.0.1:PORT", "ConnectionRefusedError"),
    "a_name": ("resolve", "example.com", "gaierror"),
}


@pytest.fixture(scope="module")
def outcomes(place: Place) -> dict[str, str]:
    """What came of all of them, in one run."""
    own_port = place.server.url.rpartition(":")[2]
    every = {**REACHED, **REFUSED}
    asked = [
        [way, argument.replace("PORT", str(place.listed.port)).replace("SERVER", own_port)]
        for way, argument, _ in every.values()
    ]
    run = place.server.client.ended(place.server.client.start("reach", json.dumps(asked)))
    assert run["status"] == "completed", run
    return dict(zip(every, run["output"], strict=True)) | {"": json.dumps(run)}


@pytest.mark.parametrize("name", [*REACHED, *REFUSED])
def test_it_comes_to_what_it_must(name: str, outcomes: dict[str, str]) -> None:
    *_, expected = {**REACHED, **REFUSED}[name]
    assert outcomes[name].startswith(expected)


def test_a_server_sees_one_request_a_connection_with_its_own_name(
    outcomes: dict[str, str], place: Place
) -> None:
    plain = [headers for _, headers in place.listed.heads if headers.get("connection") == "close"]
    assert len(plain) >= len(REACHED) - 1  # all but what went through a tunnel
    names = {headers["host"] for headers in plain}
    assert names == {f"127.0.0.1:{place.listed.port}", f"localhost:{place.listed.port}"}
    assert outcomes


def test_what_was_passed_on_and_refused_is_told(outcomes: dict[str, str], place: Place) -> None:
    run = json.loads(outcomes[""])
    use = run["exit"]["network"]
    denied = [name for name, (*_, answer) in REFUSED.items() if "403" in answer]
    assert use["refused"] == len(denied)
    assert use["sent_bytes"] > 300_000
    assert use["received_bytes"] > 0
    assert use["connections"] >= len(denied) + len(REACHED)
    log = place.server.client.ask("GET", f"/v1/runs/{run['run_id']}/logs?stream=stderr").body.decode()
    assert (
        "runward: the network was refused: 169.254.169.254:80, a link-local address, is not in agents." in log
    )
    assert run["containment"]["applied"]["network"] == "namespace, proxy"


def test_a_run_that_fails_says_what_it_was_refused_and_which_key_would_allow_it(place: Place) -> None:
    run = place.server.client.ended(place.server.client.start("insist", "http://169.254.169.254/"))
    assert (run["status"], run["reason"]) == ("failed", "exception")
    assert run["error"].startswith(
        "urllib.error.HTTPError: HTTP Error 403: Forbidden; the network was refused: "
    )
    assert run["error"].endswith('is not in agents.insist.allow_hosts ("169.254.169.254:80" would allow it)')


def test_a_run_that_fails_for_want_of_a_network_says_so(place: Place) -> None:
    run = place.server.client.ended(place.server.client.start("offline", "http://example.com/"))
    assert run["error"].startswith("urllib.error.URLError: <urlopen error ")
    hint = 'agents.offline.network = "proxy" or "host" gives it one)'
    assert run["error"].endswith(f" (this agent has no network: {hint}")


def test_a_program_is_told_of_the_proxy_too(place: Place) -> None:
    run = place.server.client.ended(place.server.client.start("command"))
    assert run["exit"]["stderr_tail"] == "0 bytes, thanks"
    assert run["exit"]["network"]["connections"] == 1


def test_the_proxy_is_as_walled_in_as_an_agent_and_ends_with_its_run(place: Place) -> None:
    client = place.server.client
    run_id = client.start("hold", "30")
    with client.stream(run_id) as stream:
        stream.until("test.held")
    proxy = place.server.member(f"proxy {run_id}")
    told = census.status(proxy.pid)
    assert (told["NoNewPrivs"], told["Seccomp"], int(told["CapEff"], 16)) == ("1", "2", 0)
    if place.by_root:
        assert all(int(uid) >= 1_879_048_192 for uid in told["Uid"].split())
    until(lambda: census.descriptors(proxy.pid)["socket"] >= 8, AT_LAST_S, "its connections")
    assert census.descriptors(proxy.pid)["socket"] <= 8 + 2  # what listens, too
    assert client.stopped(run_id)["exit"]["survivors"] == []
    assert proxy.pid not in [each.pid for each in census.processes()]


def test_one_that_is_killed_takes_the_network_along_and_not_the_run(place: Place) -> None:
    client = place.server.client
    run_id = client.start("hold", "1")
    with client.stream(run_id) as stream:
        stream.until("test.held")
    proxy = place.server.member(f"proxy {run_id}")
    os.kill(proxy.pid, signal.SIGKILL)
    until(lambda: proxy.pid not in [each.pid for each in census.processes()], AT_LAST_S, "its end")
    assert client.run(run_id)["status"] == "running"
    assert client.stopped(run_id)["status"] == "cancelled"


def test_runs_of_others_have_no_proxy(place: Place) -> None:
    client = place.server.client
    with client.stream(client.start("echo")) as stream:
        stream.rest()
    titles: list[Any] = [each.title for each in census.below(place.server.pid)]
    assert not [title for title in titles if "proxy" in title]


@pytest.mark.slow
def test_what_was_forked_ahead_of_its_run_has_its_proxy_too(tmp_path_factory: pytest.TempPathFactory) -> None:
    with listed() as target:
        reach = agent("networked", "reach", network="proxy", allow_hosts=[f"127.0.0.1:{target.port}"])
        config = {"agents": {"reach": reach}, "runs": {"spares": 1, "default_agent": "reach"}}
        with house(("as_is", "pidns"), tmp_path_factory, config) as server:
            asked = json.dumps([["get", f"http://127.0.0.1:{target.port}/"]])
            for _ in range(3):
                run = server.client.ended(server.client.start("reach", asked))
                assert run["output"] == ["0 bytes, thanks"]
                assert run["exit"]["network"]["connections"] == 1
                spare = until(lambda: _spare(server), AT_LAST_S, "a spare proxy")
                assert spare.split()[-1] != run["run_id"]


def _spare(server: Server) -> str | None:
    titles = [each.title for each in census.below(server.pid)]
    return next((title for title in titles if title.startswith("runward: spare proxy run_")), None)


@pytest.mark.slow
def test_without_a_network_of_its_own_a_run_has_none_and_its_agent_warns(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    reach = agent("networked", "reach", network="proxy", allow_hosts=["*"])
    config = {"agents": {"reach": reach}, "containment": {"kill": "pidns", "without": ["network"]}}
    with house(("as_is", "pidns"), tmp_path_factory, config) as server:
        run = server.client.ended(server.client.start("reach", json.dumps([["connect", "1.1.1.1:443"]])))
        assert run["output"] == ["PermissionError [Errno 13] Permission denied"]
        assert run["exit"]["network"] is None
        listed_agents = server.client.ask("GET", "/v1/agents").json["data"]
        (warnings,) = [each["warnings"] for each in listed_agents if each["name"] == "reach"]
        assert any(warning.startswith('network: "proxy" needs the wall "network"') for warning in warnings)
