"""A facade's application on a listening socket: from accepting to the last open stream."""

import asyncio
import socket

from aiohttp import web

from .connection import Connections
from .context import Facade
from .guard import Guard
from .routes import application

BACKLOG = 1024
END_S = 2.0  # what requests that are under way have to finish
LINGERING_S = 2.0  # how long the rest of a refused body is read, so that its sender sees the answer


class Serving:
    """Accepts on one socket. `start` and `stop`, once each."""

    def __init__(self, facade: Facade, listener: socket.socket) -> None:
        self._facade = facade
        self._listener = listener
        self._guard = Guard(facade.settings.http, facade.figures)
        self._runner = web.AppRunner(
            application(facade, self._guard),
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=END_S,
        )
        self._server: asyncio.Server | None = None
        self._connections: Connections | None = None

    async def start(self) -> None:
        """Accept from now on."""
        await self._runner.setup()
        server = self._runner.server
        assert server is not None
        settings = self._facade.settings.http
        connections = self._connections = Connections(
            server,
            self._guard,
            settings.max_connections,
            access_log=None,
            max_line_size=settings.max_header_bytes,
            max_field_size=settings.max_header_bytes,
            keepalive_timeout=settings.body_timeout_s,  # it also bounds how slowly headers may come
            lingering_time=LINGERING_S,
            auto_decompress=False,
        )
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(connections, sock=self._listener, backlog=BACKLOG)

    async def stop(self, grace_s: float = 0.0) -> None:
        """Accept no more, end the streams (their clients come again, elsewhere), let requests finish.

        For `grace_s` what still comes on a connection is answered, as the last on it: nobody is refused who had sent
        his request before he could know, and whoever accepts on this socket meanwhile takes the rest.
        """
        if self._server is not None:
            self._server.close()
        self._facade.feeds.close()
        self._facade.changes.close()
        if self._connections is not None and grace_s:
            await self._connections.dismiss(grace_s)
        await self._runner.cleanup()
