"""One connection to the proxy: its request is read and judged, its name resolved, and then bytes are passed on."""

import errno
import os
import select
import socket
from collections.abc import Callable
from ipaddress import IPv6Address
from typing import Protocol

from ..config.sections import ProxySettings
from .actor import Actor, Timer
from .own_address import is_own
from .proxy_request import END, BadRequest, Request, parse
from .proxy_tunnel import Tunnel
from .reachable import Address, Reachable, literal
from .resolving import Resolver

MOST_ADDRESSES = 4  # of one name that are tried
PARTING_S = 2.0  # for the client to read why it was refused
_PARTING_BYTES = 1 << 20
_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
_PHRASES = {
    400: "Bad Request",
    403: "Forbidden",
    408: "Request Timeout",
    411: "Length Required",
    431: "Request Header Fields Too Large",
    502: "Bad Gateway",
    504: "Gateway Timeout",
}


class House(Protocol):
    """What a connection needs of its proxy."""

    actor: Actor
    reachable: Reachable
    resolver: Resolver
    settings: ProxySettings

    def refused(self, why: str) -> None:
        """The agent asked for what it may not reach."""

    def sent(self, size: int) -> None:
        """To a server, so many bytes."""

    def received(self, size: int) -> None:
        """From a server."""


class Connection:
    """From the accepted socket on, which does not block and is its own. `over` is called once, at its end."""

    def __init__(self, house: House, client: socket.socket, over: Callable[[], None]) -> None:
        self._house = house
        self._actor = house.actor
        self._client = client
        self._over = over
        self._head = b""
        self._rest = b""  # what came behind the head
        self._request = Request("", 0)
        self._addresses: list[Address] = []
        self._server: socket.socket | None = None
        self._discarded = 0
        self._done = False
        self._tunnel: Tunnel | None = None
        self._deadline: Timer | None = None
        self._expect(house.settings.header_timeout_s, 408, "the request's head did not come in time")
        self._actor.watch(client.fileno(), self._hear)

    def close(self) -> None:
        """Break it off."""
        if self._tunnel is None:
            self._close()
        else:
            self._tunnel.close()

    # ── the request ──────────────────────────────────────────────────────────────────────────────

    def _hear(self) -> None:
        most = self._house.settings.max_header_bytes
        try:
            piece = self._client.recv(most)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        if not piece:
            self._close()
            return
        searched = max(0, len(self._head) - len(END))
        self._head += piece
        end = self._head.find(END, searched)
        if end + len(END) > most or (end < 0 and len(self._head) > most):
            self._refuse(431, f"the request's head is longer than {most} bytes (proxy.max_header_bytes)")
        elif end >= 0:
            self._rest, self._head = self._head[end + len(END) :], self._head[: end + len(END)]
            self._judge()

    def _judge(self) -> None:
        try:
            self._request = parse(self._head)
        except BadRequest as bad:
            self._refuse(bad.status, str(bad))
            return
        host, port = self._request.host, self._request.port
        why = self._house.reachable.refuses_host(host, port)
        if why is not None:
            self._deny(why)
            return
        self._actor.unwatch(self._client.fileno())
        self._expect(self._house.settings.connect_timeout_s, 504, f"{host}:{port} did not answer in time")
        address = literal(host)
        if address is None:
            self._house.resolver.resolve(host, self._resolved)
        else:
            self._resolved([address], "")

    # ── the server ───────────────────────────────────────────────────────────────────────────────

    def _resolved(self, addresses: list[Address], why: str) -> None:
        if self._done:
            return  # too late
        if not addresses:
            self._refuse(502, f"the name {self._request.host} could not be resolved: {why}")
            return
        refusals = [self._refusal(address) for address in addresses[:MOST_ADDRESSES]]
        allowed = zip(addresses, refusals, strict=False)
        self._addresses = [address for address, refusal in allowed if refusal is None]
        if not self._addresses:
            self._deny(next(filter(None, refusals)))
            return
        self._try_next(0)

    def _refusal(self, address: Address) -> str | None:
        host, port = self._request.host, self._request.port
        return self._house.reachable.refuses_address(address, port, host, is_own(address))

    def _try_next(self, failed: int) -> None:
        """Connect to the next address that was judged, and to no other."""
        if not self._addresses:
            said = os.strerror(failed) if failed else "there is no address"
            self._refuse(502, f"{self._request.host}:{self._request.port} can't be reached: {said}")
            return
        address = self._addresses.pop(0)
        family = socket.AF_INET6 if isinstance(address, IPv6Address) else socket.AF_INET
        try:
            self._server = socket.socket(
                family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
            )
            number = self._server.connect_ex((str(address), self._request.port))
        except OSError as error:
            number = error.errno or errno.EIO
        if number == errno.EINPROGRESS and self._server is not None:
            self._actor.watch(self._server.fileno(), self._connected, select.EPOLLOUT)
        else:
            self._settle(number)

    def _connected(self) -> None:
        assert self._server is not None
        self._actor.unwatch(self._server.fileno())
        self._settle(self._server.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))

    def _settle(self, number: int) -> None:
        if number:
            self._drop_server()
            self._try_next(number)
        else:
            self._pass_on()

    def _pass_on(self) -> None:
        assert self._server is not None
        self._relax()
        self._done = True
        for end in (self._client, self._server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tunnel = self._tunnel = Tunnel(
            self._actor,
            self._client,
            self._server,
            self._house.settings.idle_timeout_s,
            (self._house.sent, self._house.received),
            self._over,
        )
        if self._request.head is None:
            tunnel.begin(_ESTABLISHED, self._rest, None)
        else:
            body = self._rest[: self._request.body_bytes]
            tunnel.begin(b"", self._request.head + body, self._request.body_bytes - len(body))

    # ── refusing ─────────────────────────────────────────────────────────────────────────────────

    def _deny(self, why: str) -> None:
        self._house.refused(why)
        self._refuse(403, f"the network was refused: {why}")

    def _refuse(self, status: int, why: str) -> None:
        """Say so, and give the client time to read it: what it sends meanwhile is thrown away."""
        self._relax()
        self._done = True
        self._drop_server()
        body = f"runward: {why}\n".encode()
        head = (
            f"HTTP/1.1 {status} {_PHRASES[status]}\r\nContent-Type: text/plain; charset=utf-8\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        try:
            self._client.send(head.encode() + body)
            self._client.shutdown(socket.SHUT_WR)
        except OSError:
            self._close()
            return
        self._deadline = self._actor.after(PARTING_S, self._close)
        self._actor.unwatch(self._client.fileno())
        self._actor.watch(self._client.fileno(), self._discard)

    def _discard(self) -> None:
        try:
            piece = self._client.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        self._discarded += len(piece)
        if not piece or self._discarded > _PARTING_BYTES:
            self._close()

    def _expect(self, within_s: float, status: int, why: str) -> None:
        self._relax()
        self._deadline = self._actor.after(within_s, lambda: self._refuse(status, why))

    def _relax(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _drop_server(self) -> None:
        if self._server is not None:
            self._actor.unwatch(self._server.fileno())
            self._server.close()
            self._server = None

    def _close(self) -> None:
        self._relax()
        self._done = True
        self._drop_server()
        self._actor.unwatch(self._client.fileno())
        self._client.close()
        self._over()
