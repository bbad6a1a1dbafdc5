"""Where a webhook may be: an address that `webhooks.allow` lists, and nothing that a name leads to beside it.

Looked at twice: the URL when a run is started, for a person to read why not; each address that its name leads to when
a connection is made, since a name may lead elsewhere by then.
"""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from ipaddress import ip_address

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from ..actors.own_address import is_own
from ..actors.reachable import Reachable, literal, plain
from ..config.allowed_hosts import is_name
from ..config.sections import WebhookSettings

KEY = "webhooks.allow"
LOOKUPS_AT_ONCE = 4
LONGEST = 2048


class WebhookRefused(OSError):
    """It may not be connected to, and why. An OSError, since that is what a resolver may raise."""


def reachable(settings: WebhookSettings) -> Reachable:
    """The list."""
    return Reachable(KEY, settings.allow)


def why_not(url: str, settings: WebhookSettings) -> str | None:
    """Why this may be no webhook, as far as its text tells; None if it may."""
    parsed = parse(url)
    if parsed is None:
        return "must be an http or https URL with a host, without a user, password or fragment"
    if not settings.allow:
        return f"can't be told: {KEY} lists nobody"
    host, port = host_and_port(parsed)
    why = reachable(settings).refuses_host(host, port)
    return None if why is None else f"can't be told: {why}"


def parse(url: str) -> URL | None:
    """The URL as it will be asked, if it is one that can be."""
    if len(url) > LONGEST or not url.isprintable() or " " in url:
        return None
    try:
        parsed = URL(url)
        host, port = parsed.raw_host, parsed.port
    except ValueError:
        return None
    if parsed.scheme not in ("http", "https") or not host or not port:
        return None
    if parsed.raw_user is not None or parsed.raw_password is not None or parsed.raw_fragment:
        return None
    return parsed if literal(host) is not None or is_name(host) else None


def host_and_port(url: URL) -> tuple[str, int]:
    """Of one that was parsed."""
    assert url.raw_host is not None
    assert url.port is not None
    return url.raw_host, url.port


def shown(url: str) -> str:
    """Without what may be secret in it."""
    parsed = parse(url)
    return "" if parsed is None else str(parsed.with_query(None))


def check_literal(url: URL, allowed: Reachable) -> None:
    """A resolver is not asked about what is an address already. Raises `WebhookRefused`."""
    host, port = host_and_port(url)
    address = literal(host)
    why = (
        allowed.refuses_host(host, port)
        if address is None
        else allowed.refuses_address(address, port, host, is_own(address))
    )
    if why is not None:
        raise WebhookRefused(why)


class JudgingResolver(AbstractResolver):
    """Names lead only to addresses that may be connected to."""

    def __init__(self, allowed: Reachable) -> None:
        self._allowed = allowed
        # Threads of their own: a name whose servers are silent holds one for long, and the loop's are few.
        self._threads = ThreadPoolExecutor(LOOKUPS_AT_ONCE, "webhook names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Those; raises OSError if there are none."""
        loop = asyncio.get_running_loop()
        infos = await loop.run_in_executor(
            self._threads, partial(socket.getaddrinfo, host, port, family, socket.SOCK_STREAM)
        )
        found: list[ResolveResult] = []
        refused = f"{host} leads nowhere"
        for kind, _, protocol, _, where in infos:
            address = plain(ip_address(str(where[0]).partition("%")[0]))
            why = self._allowed.refuses_address(address, port, host, is_own(address))
            if why is not None:
                refused = why
                continue
            found.append(
                ResolveResult(
                    hostname=host,
                    host=str(where[0]),
                    port=port,
                    family=kind,
                    proto=protocol,
                    flags=socket.AI_NUMERICHOST,
                )
            )
        if not found:
            raise WebhookRefused(refused)
        return found

    async def close(self) -> None:
        """Look nothing up any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)
