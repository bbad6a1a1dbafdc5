"""One client's connection: aiohttp's, with our shape for the errors that aiohttp answers by itself.

Those are: bytes that are not HTTP, unknown routes and methods, bodies that are too large, and our own
mistakes.
"""

import asyncio
import contextlib
import logging
from typing import Any

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_exceptions import BadHttpMessage, LineTooLong

from . import errors
from .errors import Problem
from .guard import Guard, problem_response

_log = logging.getLogger(__name__)


class Connections:
    """Makes the connections of one server, and bounds their number. `settings` are `web.RequestHandler`'s."""

    def __init__(self, server: web.Server, guard: Guard, max_connections: int, **settings: Any) -> None:
        self.server = server
        self.guard = guard
        self.room = max_connections
        self.dismissed = False
        self._settings = settings
        self._open: set[Connection] = set()
        self._empty = asyncio.Event()

    def __call__(self) -> "Connection":
        """A protocol for a connection that was just accepted."""
        return Connection(self, **self._settings)

    async def dismiss(self, within_s: float) -> None:
        """Make each one's next answer its last. Returns when none is left, or when the time is over."""
        self.dismissed = True
        if self._open:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), within_s)

    def came(self, connection: "Connection") -> None:
        """One that was taken."""
        self._open.add(connection)
        self._empty.clear()
        self.room -= 1

    def went(self, connection: "Connection") -> None:
        """Its place is free."""
        self._open.discard(connection)
        self.room += 1
        if not self._open:
            self._empty.set()


class Connection(web.RequestHandler):
    """See the module."""

    __slots__ = ("_counted", "_home")

    def __init__(self, home: Connections, **settings: Any) -> None:
        super().__init__(home.server, loop=asyncio.get_running_loop(), **settings)
        self._home = home
        self._counted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take it, or say that there are too many."""
        if self._home.room > 0:
            self._home.came(self)
            self._counted = True
            super().connection_made(transport)
        elif isinstance(transport, asyncio.Transport):
            transport.write(_whole(problem_response(Problem("too_many_connections", _TOO_MANY))))
            transport.close()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Give its place back."""
        if self._counted:
            self._home.went(self)
            self._counted = False
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - see below
    ) -> web.StreamResponse:
        """The answer to what is not HTTP, or to a mistake of ours; only the latter is logged.

        aiohttp's `message` quotes the request, which may hold a key, so it goes nowhere.
        """
        if isinstance(exc, ConnectionError) and (self.transport is None or self.transport.is_closing()):
            raise exc  # the client left before its answer began
        if status >= 500:
            _log.error("a %s of %s failed", request.method, request.path, exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun: it can only be cut off")
        return _Final(errors.from_http(431 if _is_too_large(exc) else status), self._home.guard)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Every answer comes by here: those that aiohttp made get our shape."""
        if isinstance(resp, web.HTTPException):
            resp = _in_our_shape(resp)
        if self._home.dismissed:
            resp.force_close()
        return await super().finish_response(request, resp, start_time)


class _Final(web.Response):
    """The last answer on a connection: its request was not understood, so no signal of aiohttp's sees it."""

    def __init__(self, problem: Problem, guard: Guard) -> None:
        made = problem_response(problem)
        super().__init__(body=problem.body, status=made.status, headers=made.headers)
        self.force_close()
        self._guard = guard

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        self._guard.dress(request, self)
        if request.transport is not None:
            request.transport.write(_whole(self, with_body=request.method != "HEAD"))
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        pass


_TOO_MANY = "This server holds as many connections as it may (http.max_connections). Try again in a moment."


def _is_too_large(exc: BaseException | None) -> bool:
    """Whether headers were too long or too many; for the latter aiohttp has a text and no type."""
    return isinstance(exc, LineTooLong) or (
        isinstance(exc, BadHttpMessage) and exc.message.startswith("Too many headers")
    )


def _in_our_shape(error: web.HTTPException) -> web.Response:
    response = problem_response(errors.from_http(error.status))
    if hdrs.ALLOW in error.headers:
        response.headers[hdrs.ALLOW] = error.headers[hdrs.ALLOW]
    return response


def _whole(response: web.Response, *, with_body: bool = True) -> bytes:
    body = response.body if isinstance(response.body, bytes) else b""
    response.headers["Connection"] = "close"
    response.headers["Content-Length"] = str(len(body))
    head = [f"HTTP/1.1 {response.status} {response.reason}"]
    head += [f"{name}: {text}" for name, text in response.headers.items()]
    return "\r\n".join([*head, "", ""]).encode() + (body if with_body else b"")
