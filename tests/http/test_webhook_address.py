"""Which URLs may be webhooks, where their names may lead, and how what is sent is signed."""

import asyncio
import base64
import hashlib
import hmac
import socket
import threading

import pytest

from runward.config.sections import WebhookSettings
from runward.http import signing, webhook_address

from ..support.waiting import AT_LAST_S

ALLOWED = WebhookSettings(allow=("hook.example", "*.inner.example:8443", "127.0.0.1:9000", "[::1]:9000"))


@pytest.mark.parametrize(
    "url",
    [
        "http://hook.example/a?b=c",
        "https://HOOK.example",
        "https://x.inner.example:8443/",
        "http://127.0.0.1:9000/",
        "http://[::1]:9000/",
    ],
)
def test_what_the_list_names_may_be_told(url: str) -> None:
    assert webhook_address.why_not(url, ALLOWED) is None


@pytest.mark.parametrize(
    "url",
    [
        "http://hook.example:8080/",
        "http://127.0.0.1/",
        "http://[::ffff:127.0.0.1]:80/",
        "http://169.254.169.254/",
        "http://other.example/",
    ],
)
def test_what_it_does_not_name_is_refused_with_the_setting(url: str) -> None:
    assert "webhooks.allow" in (webhook_address.why_not(url, ALLOWED) or "")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hook.example",
        "ftp://hook.example/",
        "http://",
        "http:///a",
        "http://user:secret@hook.example/",
        "http://hook.example#there",
        "http://hook.example:0/",
        "http://hook.example:99999/",
        "http://0x7f000001/",
        "http://2130706433/",
        "http://hook.example./",
        "http://hook.example/ a",
        "http://hook.example\n.other/",
        "http://hook.example/" + "a" * 3000,
        "http://hook.example\\@127.0.0.1:9000/",
    ],
)
def test_what_is_no_plain_url_is_refused(url: str) -> None:
    assert webhook_address.parse(url) is None
    assert "http or https URL" in (webhook_address.why_not(url, ALLOWED) or "")


def test_without_a_list_nothing_may_be_told() -> None:
    why = webhook_address.why_not("https://hook.example/", WebhookSettings())
    assert why is not None
    assert "webhooks.allow" in why


def test_a_query_is_not_shown() -> None:
    assert webhook_address.shown("https://hook.example/a?token=t") == "https://hook.example/a"


def test_a_name_leads_only_to_addresses_that_are_listed_or_everybodys() -> None:
    refusing = webhook_address.JudgingResolver(
        webhook_address.reachable(WebhookSettings(allow=("localhost.example:80", "*:80")))
    )
    with pytest.raises(webhook_address.WebhookRefused, match="a loopback address"):
        asyncio.run(refusing.resolve("localhost", 80))
    listed = webhook_address.reachable(WebhookSettings(allow=("localhost:80", "127.0.0.1:80", "[::1]:80")))
    found = asyncio.run(webhook_address.JudgingResolver(listed).resolve("localhost", 80))
    assert {each["host"] for each in found} <= {"127.0.0.1", "::1"}
    assert found


def test_names_that_nobody_answers_for_hold_up_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()

    def silent(*_: object) -> list[object]:
        answered.wait(AT_LAST_S)
        return []

    async def many() -> None:
        resolver = webhook_address.JudgingResolver(webhook_address.reachable(WebhookSettings(allow=("*",))))
        lookups = [asyncio.ensure_future(resolver.resolve(f"h{n}.example", 80)) for n in range(40)]
        try:
            await asyncio.sleep(0)
            async with asyncio.timeout(AT_LAST_S / 2):
                assert await asyncio.to_thread(int, "7") == 7
        finally:
            answered.set()
            await asyncio.gather(*lookups, return_exceptions=True)
            await resolver.close()

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    asyncio.run(many())


def test_each_secret_signs_id_time_and_body() -> None:
    headers = signing.headers("run_1", 1700000000.9, b"{}", [b"one", b"two"])
    expected = [
        "v1," + base64.b64encode(hmac.new(key, b"run_1.1700000000.{}", hashlib.sha256).digest()).decode()
        for key in (b"one", b"two")
    ]
    assert headers == {
        "webhook-id": "run_1",
        "webhook-timestamp": "1700000000",
        "webhook-signature": " ".join(expected),
    }
