"""One request to a runward server, by aiohttp. Connections are kept and used again; for one event loop."""

import asyncio
from codecs import getincrementaldecoder
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import aiohttp
from yarl import URL

from . import api_calls
from .api_address import Address
from .api_calls import Call
from .api_errors import ServerUnreachable
from .api_transport import reason

T = TypeVar("T")

LOST = (aiohttp.ClientError, OSError, TimeoutError)


class AsyncReply:
    """An answer whose body is still to be read. `timeout_s`: how long `read` lets the server be silent."""

    def __init__(self, url: str, response: aiohttp.ClientResponse, timeout_s: float) -> None:
        self.status = response.status
        self.retry_after = response.headers.get("Retry-After", "")
        self._url = url
        self._response = response
        self._timeout_s = timeout_s

    async def read(self) -> bytes:
        """All of it. Raises ServerUnreachable."""
        parts = []
        while part := await self.read_some(self._timeout_s):
            parts.append(part)
        return b"".join(parts)

    async def read_some(self, timeout_s: float | None) -> bytes:
        """What there is, once there is something; empty at the end. Raises ServerUnreachable. None: for ever."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._response.content.readany()
        except LOST as error:
            raise ServerUnreachable(self._url, reason(error)) from error


class AsyncTransport:
    """How to reach one server, which may be silent for `timeout_s`."""

    def __init__(self, address: Address, timeout_s: float) -> None:
        self.address = address
        self.timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None

    @property
    def url(self) -> str:
        """The server's, without a slash at its end."""
        return self.address.url

    async def close(self) -> None:
        """Let go of all connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def ask(self, call: Call[T], timeout_s: float | None = None) -> T:
        """What the server answers. Raises ApiError when it says no, ServerUnreachable if nothing."""
        async with self.open(call.method, call.path, call.body, call.headers, timeout_s) as reply:
            return api_calls.understood(call, self.url, reply.status, reply.retry_after, await reply.read())

    async def text(self, path: str, silence_s: float | None = None) -> AsyncGenerator[str, None]:
        """A text, as it comes. `silence_s`: how long the server may say nothing in its middle; None: for ever.

        Raises as `ask`.
        """
        decoder = getincrementaldecoder("utf-8")("replace")
        async with self.open("GET", path) as reply:
            if reply.status not in api_calls.OPENED:
                raise api_calls.refusal(self.url, reply.status, reply.retry_after, await reply.read())
            while chunk := await reply.read_some(silence_s):
                yield decoder.decode(chunk)

    @asynccontextmanager
    async def open(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> AsyncIterator[AsyncReply]:
        """The answer with its body unread; its connection is let go of in the end. Raises ServerUnreachable."""
        if self._session is None:
            jar = aiohttp.DummyCookieJar()
            self._session = aiohttp.ClientSession(headers=self.address.headers, cookie_jar=jar)
        answer_s = timeout_s or self.timeout_s
        never = aiohttp.ClientTimeout(total=None, sock_connect=None)  # reads have each their own
        url = URL(f"{self.url}{path}", encoded=True)
        try:
            # A redirect could take the key elsewhere.
            async with asyncio.timeout(answer_s):
                response = await self._session.request(
                    method, url, json=body, headers=headers, timeout=never, allow_redirects=False
                )
        except LOST as error:
            raise ServerUnreachable(self.url, reason(error)) from error
        async with response:
            yield AsyncReply(self.url, response, answer_s)
