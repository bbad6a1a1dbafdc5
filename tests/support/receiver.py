"""A webhook's receiver: a real HTTP server in a thread, which remembers what came and answers as its path says."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from aiohttp import web

#: A key and its certificate for 127.0.0.1, which only vouches for itself: who is told to trust it does.
CERTIFICATES = Path(__file__).parent / "certificates"
TRUSTED, STRANGER = CERTIFICATES / "trusted.pem", CERTIFICATES / "stranger.pem"


class Received(NamedTuple):
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """Paths: `/ok/…`; `/after/N/…` is 500 for the first N times; `/hold/…` waits, the first time, until it is let go;
    `/gone/…` is 410; `/away/…` is a redirect to `/ok/away`; `/never/…` is 500;
    `/banner/…` is that of a server which speaks something else."""

    def __init__(self, certificate: Path | None = None) -> None:
        self.received: list[Received] = []
        self._certificate = certificate
        self.port = 0
        self._held: list[asyncio.Event] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over = asyncio.Event()

    def of(self, path: str) -> list[Received]:
        """What came for this path."""
        return [each for each in self.received if each.path == path]

    def let_go(self) -> None:
        """Answer whoever waits."""
        for held in self._held:
            self._later(held)

    def end(self) -> None:
        """Stop serving."""
        self.let_go()
        self._later(self._over)

    def _later(self, event: asyncio.Event) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(event.set)

    @property
    def url(self) -> str:
        return f"{'https' if self._certificate else 'http'}://127.0.0.1:{self.port}"

    async def answer(self, request: web.Request) -> web.Response:
        times = len(self.of(request.path))
        self.received.append(Received(request.path, dict(request.headers), await request.read()))
        match request.path.split("/")[1:]:
            case ["after", number, *_]:
                return web.Response(status=204 if times >= int(number) else 500)
            case ["hold", *_] if times == 0:
                self._held.append(asyncio.Event())
                await self._held[-1].wait()
            case ["gone", *_]:
                return web.Response(status=410)
            case ["never", *_]:
                return web.Response(status=500)
            case ["banner", *_]:
                assert request.transport is not None
                request.transport.write(b"SSH-2.0-inside\r\n")
                request.transport.close()
            case ["away", *_]:
                raise web.HTTPFound(f"{self.url}/ok/away")
        return web.Response(text="thanks")

    def _tls(self) -> ssl.SSLContext | None:
        if self._certificate is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._certificate)
        return context

    async def serve(self, ready: threading.Event) -> None:
        """Until the end."""
        self._loop = asyncio.get_running_loop()
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", self.answer)
        runner = web.AppRunner(app, shutdown_timeout=1.0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self._tls()).start()
        self.port = runner.addresses[0][1]
        ready.set()
        await self._over.wait()
        await runner.cleanup()


@contextmanager
def receiving(certificate: Path | None = None) -> Iterator[Receiver]:
    """One that listens on a port of its own, until the block ends; with TLS if it has a certificate to show."""
    receiver, ready = Receiver(certificate), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(receiver.serve(ready)))
    thread.start()
    assert ready.wait(10.0), "the receiver did not begin to listen"
    try:
        yield receiver
    finally:
        receiver.end()
        thread.join()
