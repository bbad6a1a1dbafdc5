"""What every request passes before its handler, and every answer on its way out.

On the way in: size of the headers, `Host` (DNS rebinding), preflight. Then, for a route that is not open, who
it is and whether a browser was made to send it by somebody else's page. On the way out: the security headers,
the request id and CORS, on errors and streams too.
"""

import ipaddress
import re
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit
from uuid import uuid4

from aiohttp import hdrs, web

from ..actors.errors import RunwardError
from ..config.settings import HttpSettings
from . import errors
from .auth import ANYONE, Who
from .context import Call, Facade
from .errors import Problem

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

REQUEST_ID = "X-Request-Id"
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
PREFLIGHT_HEADERS = {
    "Access-Control-Allow-Methods": "GET, POST, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, "
    "X-Request-Id",
    "Access-Control-Max-Age": "600",
}
EXPOSED = "Location, Retry-After, Runward-Ignored, X-Request-Id"

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")


class Guard:
    """The rules of one facade."""

    def __init__(self, settings: HttpSettings) -> None:
        self._settings = settings
        self._origins = frozenset(settings.cors_origins)
        self._hosts = _LOOPBACK | {_bare(name) for name in (settings.host, *settings.allowed_hosts)}
        self._any_address = _is_wildcard(settings.host)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let the request in, or answer what is wrong with it."""
        try:
            self._check(request)
            if _is_preflight(request):
                return self._preflight(request)
            return await handler(request)
        except Problem as problem:
            return problem_response(problem)
        except RunwardError as error:
            return problem_response(errors.from_actors(error))

    async def on_prepare(self, request: web.Request, response: web.StreamResponse) -> None:
        """aiohttp's signal: the headers of an answer are about to be sent."""
        self.dress(request, response)

    def dress(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """Put on the headers that every answer has, and take off what tells of aiohttp."""
        for name, text in SECURITY_HEADERS.items():
            response.headers.setdefault(name, text)
        given = request.headers.get(REQUEST_ID, "")
        response.headers[REQUEST_ID] = given if _REQUEST_ID.match(given) else uuid4().hex
        response.headers.popall(hdrs.SERVER, None)
        if self._origins:
            response.headers["Vary"] = "Origin"
            origin = request.headers.get(hdrs.ORIGIN, "")
            if origin in self._origins:
                response.headers["Access-Control-Allow-Origin"] = origin
                response.headers["Access-Control-Expose-Headers"] = EXPOSED

    def _check(self, request: web.Request) -> None:
        if sum(len(name) + len(text) for name, text in request.raw_headers) > self._settings.max_header_bytes:
            raise errors.from_http(431)
        if request.path != "/health" and not self._is_our_name(request.headers.get(hdrs.HOST, "")):
            raise Problem(
                "wrong_host",
                "This server does not go by the name in the Host header. If it should, add the name to "
                "http.allowed_hosts.",
            )

    def _is_our_name(self, host: str) -> bool:
        name = _bare(host)
        # An address can't be rebound; which of them are ours is not known where all are listened on.
        return name in self._hosts or (self._any_address and _is_address(name))

    def _preflight(self, request: web.Request) -> web.Response:
        if request.headers[hdrs.ORIGIN] not in self._origins:
            raise Problem(
                "origin_not_allowed",
                "Pages of this origin may not use this server. If they should, add it to http.cors_origins.",
            )
        return web.Response(status=204, headers=PREFLIGHT_HEADERS)


def problem_response(problem: Problem) -> web.Response:
    """A problem as a response."""
    return web.Response(
        body=problem.body,
        status=problem.kind.status,
        headers=problem.headers,
        content_type="application/json",
    )


def known(facade: Facade, handle: Callable[[Call], Awaitable[web.StreamResponse]]) -> Handler:
    """The handler that finds out who asks, and only then calls `handle`."""

    async def handler(request: web.Request) -> web.StreamResponse:
        who = _who(request, facade)
        if who.ambient and request.method not in _SAFE_METHODS:
            trusted = facade.settings.http.cors_origins if who is ANYONE else ()
            check_same_origin(request, trusted)
        return await handle(Call(request, who, facade))

    return handler


def bearer(request: web.Request) -> str | None:
    """The key in the Authorization header; None if there is no such header."""
    scheme, _, secret = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if not scheme:
        return None
    return secret.strip() if scheme.lower() == "bearer" else ""


def check_same_origin(request: web.Request, trusted: Sequence[str] = ()) -> None:
    """Raise `Problem` unless one of this server's own pages sent the request, a trusted one, or no browser did.

    Sec-Fetch-Site can't be set by a page (Fetch Metadata, W3C); browsers without it send Origin with every
    POST.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get(hdrs.ORIGIN)
    host = request.headers.get(hdrs.HOST)
    own_page = site == "same-origin" or (site is None and origin is not None and _netloc(origin) == host)
    no_browser = site is None and origin is None and hdrs.COOKIE not in request.headers
    if not own_page and not no_browser and origin not in trusted:
        raise Problem(
            "cross_site_request",
            "A browser may change state here only from this server's own pages. From elsewhere send the key "
            "as 'Authorization: Bearer KEY'.",
        )


def wrong_key() -> Problem:
    """Nobody that is known."""
    return Problem(
        "invalid_api_key",
        "Missing or invalid API key. Send 'Authorization: Bearer KEY' with a key of this server.",
        headers={"WWW-Authenticate": "Bearer"},
    )


def _who(request: web.Request, facade: Facade) -> Who:
    secret = bearer(request)
    if secret is not None:
        who = facade.keys.owner_of(secret)
    elif facade.cookie in request.cookies:
        who = facade.sessions.holder_of(request.cookies[facade.cookie])
    else:
        who = None
    if who is None and facade.settings.auth.mode == "none":
        return ANYONE
    if who is None:
        raise wrong_key()
    return who


def _is_preflight(request: web.Request) -> bool:
    return (
        request.method == "OPTIONS"
        and hdrs.ORIGIN in request.headers
        and "Access-Control-Request-Method" in request.headers
    )


def _bare(host: str) -> str:
    """The name in a Host header or a setting: lower case, without port, brackets and final dot."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    if host.count(":") > 1:
        return host.lower()
    return host.partition(":")[0].rstrip(".").lower()


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_wildcard(host: str) -> bool:
    return _is_address(host) and ipaddress.ip_address(host).is_unspecified
