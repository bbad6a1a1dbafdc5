"""What every request passes before its handler, and every answer on its way out.

On the way in: size of the headers, `Host` (DNS rebinding), preflight. Then, for a route that is not open, who
it is and whether a browser was made to send it by somebody else's page. On the way out: the security headers,
the request id and CORS, on errors and streams too.
"""

import re
from collections.abc import Awaitable, Callable
from uuid import uuid4

from aiohttp import hdrs, web

from ..actors.errors import RunwardError
from ..config.settings import HttpSettings
from . import errors
from .auditing import audit
from .errors import Problem
from .figures import FacadeFigures
from .hosts import OurHosts

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
    "X-Request-Id, OpenAI-Organization, OpenAI-Project, X-Stainless-Arch, X-Stainless-Lang, X-Stainless-OS, "
    "X-Stainless-Package-Version, X-Stainless-Retry-Count, X-Stainless-Runtime, X-Stainless-Runtime-Version, "
    "X-Stainless-Timeout",  # what OpenAI's client sends from a browser
    "Access-Control-Max-Age": "600",
}
EXPOSED = (
    "Location, Content-Location, Idempotency-Replayed, Retry-After, Runward-Ignored, Runward-Run-Id, "
    "X-Request-Id"
)

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")


class Guard:
    """The rules of one facade."""

    def __init__(self, settings: HttpSettings, figures: FacadeFigures) -> None:
        self._figures = figures
        self._settings = settings
        self._origins = frozenset(settings.cors_origins)
        self._hosts = OurHosts(settings.host, settings.allowed_hosts)

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
        resource = request.match_info.route.resource
        route = "other" if resource is None else resource.canonical
        self.dress(request, response, route)
        audit(request, response, route, response.headers[REQUEST_ID])

    def dress(self, request: web.BaseRequest, response: web.StreamResponse, route: str = "other") -> None:
        """Count it, put on the headers that every answer has, and take off what tells of aiohttp."""
        for name, text in SECURITY_HEADERS.items():
            response.headers.setdefault(name, text)
        given = request.headers.get(REQUEST_ID, "")
        response.headers[REQUEST_ID] = given if _REQUEST_ID.match(given) else uuid4().hex
        response.headers.popall(hdrs.SERVER, None)
        self._figures.answered(request.method, route, response.status)
        if self._origins:
            response.headers["Vary"] = "Origin"
            origin = request.headers.get(hdrs.ORIGIN, "")
            if origin in self._origins:
                response.headers["Access-Control-Allow-Origin"] = origin
                response.headers["Access-Control-Expose-Headers"] = EXPOSED

    def _check(self, request: web.Request) -> None:
        if sum(len(name) + len(text) for name, text in request.raw_headers) > self._settings.max_header_bytes:
            raise errors.from_http(431)
        if request.path != "/health" and request.headers.get(hdrs.HOST, "") not in self._hosts:
            raise Problem(
                "wrong_host",
                "This server does not go by the name in the Host header. If it should, add the name to "
                "http.allowed_hosts.",
            )

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


def _is_preflight(request: web.Request) -> bool:
    return (
        request.method == "OPTIONS"
        and hdrs.ORIGIN in request.headers
        and "Access-Control-Request-Method" in request.headers
    )
