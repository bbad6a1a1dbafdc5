"""Webhooks: the end of a run told to a real receiver, signed, until that takes it, whoever dies meanwhile."""

import base64
import hashlib
import hmac
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..support.client import Client, Json
from ..support.figures import figures
from ..support.receiver import STRANGER, TRUSTED, Received, Receiver, receiving
from ..support.server import Server, running
from ..support.waiting import AT_LAST_S, until

SECRET = b"a secret of thirty-two bytes, so!"


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def trusted() -> Iterator[Receiver]:
    with receiving(TRUSTED) as receiver:
        yield receiver


@pytest.fixture(scope="module")
def stranger() -> Iterator[Receiver]:
    with receiving(STRANGER) as receiver:
        yield receiver


def _config(receiver: Receiver, folder: Path, **more: Any) -> Any:
    secret = folder / "secret"
    secret.write_text(f"whsec_{base64.b64encode(SECRET).decode()}\n")
    allow = [f"127.0.0.1:{receiver.port}", "*.example", f"localhost.localdomain:{receiver.port}"]
    webhooks = {"allow": allow, "secret_file": str(secret), "retry_delay_s": 0.05, **more}
    return {"webhooks": webhooks, "runs": {"builtin_agents": ["echo", "crash"]}}


@pytest.fixture(scope="module")
def server(
    receiver: Receiver, trusted: Receiver, stranger: Receiver, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("webhooks")
    config = _config(receiver, folder)
    config["webhooks"]["allow"] += [f"127.0.0.1:{each.port}" for each in (trusted, stranger)]
    with running(folder, config, variables={"SSL_CERT_FILE": str(TRUSTED)}) as server:
        yield server


def _told(client: Client, run_id: str, state: str = "delivered") -> Json:
    """The run object, once its webhook is in this state."""

    def seen() -> Json | None:
        run = client.run(run_id)
        return run if run["webhook"]["state"] == state else None

    return until(seen, AT_LAST_S, f"a webhook that is {state}")


def _check_signature(received: Received) -> None:
    headers = {name.lower(): value for name, value in received.headers.items()}
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + received.body
    expected = base64.b64encode(hmac.new(SECRET, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert abs(time.time() - int(headers["webhook-timestamp"])) < 60


def test_the_end_of_a_run_is_told_once_and_signed(server: Server, receiver: Receiver) -> None:
    client = server.client
    run_id = client.start("echo", "hello", webhook={"url": f"{receiver.url}/ok/one?token=t"})
    run = _told(client, run_id)
    [received] = receiver.of("/ok/one")
    _check_signature(received)
    body = json.loads(received.body)
    assert (body["run_id"], body["status"], body["output"]) == (run_id, "completed", "hello")
    assert body | {"webhook": None} == run | {"webhook": None}
    assert received.headers["Runward-Event"] == "run.completed"
    webhook = run["webhook"]
    assert (webhook["url"], webhook["tries"], webhook["error"]) == (f"{receiver.url}/ok/one", 1, None)


@pytest.mark.slow
def test_libraries_of_the_standard_check_the_signature(server: Server, receiver: Receiver) -> None:
    """That of OpenAI's client, which receives OpenAI's own webhooks."""
    from openai import InvalidWebhookSignatureError, OpenAI

    run_id = server.client.start("crash", "exit 3", webhook={"url": f"{receiver.url}/ok/two"})
    _told(server.client, run_id)
    [received] = receiver.of("/ok/two")
    assert json.loads(received.body)["status"] == "failed"
    secret = f"whsec_{base64.b64encode(SECRET).decode()}"
    with OpenAI(api_key="none", webhook_secret=secret) as openai:
        openai.webhooks.verify_signature(received.body, received.headers)
        with pytest.raises(InvalidWebhookSignatureError):
            openai.webhooks.verify_signature(received.body + b" ", received.headers)


def test_a_receiver_that_fails_is_told_again(server: Server, receiver: Receiver) -> None:
    run_id = server.client.start("echo", "x", webhook={"url": f"{receiver.url}/after/2/x"})
    run = _told(server.client, run_id)
    received = receiver.of("/after/2/x")
    assert run["webhook"]["tries"] == len(received) == 3
    assert {each.headers["webhook-id"] for each in received} == {run_id}
    for each in received:
        _check_signature(each)


def test_a_receiver_that_is_gone_and_one_that_leads_elsewhere_are_not_followed(
    server: Server, receiver: Receiver
) -> None:
    client = server.client
    gone = client.start("echo", "x", webhook={"url": f"{receiver.url}/gone/x"})
    away = client.start("echo", "x", webhook={"url": f"{receiver.url}/away/x"})
    assert _told(client, gone, "given_up")["webhook"]["error"] == "it answered 410"
    until(lambda: client.run(away)["webhook"]["tries"] >= 2, AT_LAST_S, "two tries")
    assert client.run(away)["webhook"]["error"] == "it answered 302"
    assert receiver.of("/ok/away") == []
    told = figures(client)
    assert told.of("runward_webhook_tries_total", result="given_up") == 1
    assert told.of("runward_webhook_tries_total", result="failed") >= 2
    assert told.of("runward_webhooks_waiting") == 1
    assert 0 < told.of("runward_webhooks_oldest_seconds") < 600
    assert client.ask("DELETE", f"/v1/runs/{away}").status == 204
    told = figures(client)
    assert (told.of("runward_webhooks_waiting"), told.of("runward_webhooks_oldest_seconds")) == (0, 0)


def test_nothing_that_a_receiver_says_is_told_nor_the_secret_in_the_url(
    server: Server, receiver: Receiver
) -> None:
    client = server.client
    run_id = client.start("echo", "x", webhook={"url": f"{receiver.url}/banner/x?token=secret"})
    until(lambda: client.run(run_id)["webhook"]["tries"] >= 1, AT_LAST_S, "a try")
    webhook = client.run(run_id)["webhook"]
    assert webhook["error"] == "what it answered is not HTTP"
    assert "secret" not in json.dumps(webhook)
    assert client.ask("DELETE", f"/v1/runs/{run_id}").status == 204


def test_who_shows_a_certificate_that_this_machine_trusts_is_told_and_a_stranger_is_not(
    server: Server, trusted: Receiver, stranger: Receiver
) -> None:
    client = server.client
    lost = client.start("echo", "x", webhook={"url": f"{stranger.url}/ok/x"})
    _told(client, client.start("echo", "x", webhook={"url": f"{trusted.url}/ok/x"}))
    until(lambda: client.run(lost)["webhook"]["tries"] >= 2, AT_LAST_S, "two tries")
    assert "CERTIFICATE_VERIFY_FAILED" in client.run(lost)["webhook"]["error"]
    assert (len(trusted.received), stranger.received) == (1, [])
    assert client.ask("DELETE", f"/v1/runs/{lost}").status == 204


@pytest.mark.parametrize("victim", ["facade 1", pytest.param("supervisor", marks=pytest.mark.slow)])
def test_what_dies_amid_a_delivery_does_not_lose_it(server: Server, receiver: Receiver, victim: str) -> None:
    client, path = server.client, f"/hold/{victim.split(' ')[0]}"
    run_id = client.start("echo", "x", webhook={"url": receiver.url + path})
    until(lambda: receiver.of(path), AT_LAST_S, "the first telling")
    os.kill(server.member(victim).pid, signal.SIGKILL)
    receiver.let_go()
    until(client.is_healthy, AT_LAST_S, "a server that is whole again")
    run = _told(client, run_id)
    assert run["webhook"]["error"] is None
    assert {each.headers["webhook-id"] for each in receiver.of(path)} == {run_id}


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1:1/", "webhooks.allow"),
        ("http://169.254.169.254/latest/meta-data", "webhooks.allow"),
        ("http://elsewhere.test/", "webhooks.allow"),
        ("http://2130706433/", "URL"),
        ("http://user@hook.example/", "URL"),
        ("ftp://hook.example/", "URL"),
        ("hook.example", "URL"),
    ],
)
def test_an_address_that_is_not_allowed_is_refused(server: Server, url: str, why: str) -> None:
    answer = server.client.ask("POST", "/v1/runs", {"input": "x", "agent": "echo", "webhook": {"url": url}})
    assert (answer.status, answer.error["param"]) == (400, "webhook.url")
    assert why in answer.error["message"]


def test_a_secret_in_the_body_is_refused_not_ignored(server: Server, receiver: Receiver) -> None:
    webhook = {"url": f"{receiver.url}/ok", "secret": "s"}
    answer = server.client.ask("POST", "/v1/runs", {"input": "x", "agent": "echo", "webhook": webhook})
    assert answer.status == 400
    assert "secret" in answer.error["message"]


@pytest.mark.slow
def test_what_was_not_told_before_the_server_ended_the_next_one_tells_and_the_rest_is_given_up(
    receiver: Receiver, tmp_path: Path
) -> None:
    config = _config(receiver, tmp_path, give_up_after_s=4.0)
    with running(tmp_path, config) as server:
        late = server.client.start("echo", "x", webhook={"url": f"{receiver.url}/after/3/late"})
        never = server.client.start("echo", "x", webhook={"url": f"{receiver.url}/never/x"})
        until(lambda: receiver.of("/after/3/late"), AT_LAST_S, "the first telling")
        server.kill()
    with running(tmp_path, config) as server:
        assert _told(server.client, late)["webhook"]["tries"] >= 2
        assert _told(server.client, never, "given_up")["webhook"]["error"] == "it answered 500"


@pytest.mark.slow
def test_a_name_that_leads_to_this_machine_is_not_connected_to(receiver: Receiver, tmp_path: Path) -> None:
    config = _config(receiver, tmp_path, allow=[f"*:{receiver.port}"])
    with running(tmp_path, config) as server:
        url = f"http://localhost:{receiver.port}/ok/inside"
        run_id = server.client.start("echo", "x", webhook={"url": url})
        until(lambda: server.client.run(run_id)["webhook"]["tries"], AT_LAST_S, "a try")
        assert "a loopback address" in server.client.run(run_id)["webhook"]["error"]
    assert receiver.of("/ok/inside") == []
