"""The proxy between real sockets: what it passes on, what it waits for and for how long, and how many it serves."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from ipaddress import ip_address
from typing import Any

import pytest

from runward.actors.own_address import is_own
from runward.actors.proxy import Proxy, Tally
from runward.actors.reachable import Reachable
from runward.config.sections import ProxySettings
from tests.support.waiting import AT_LAST_S, until

pytestmark = pytest.mark.usefixtures("nothing_left")
LARGE = os.urandom(1 << 20)


class Scene:
    """A proxy, and a server that it may reach by address, whose connections are `accept`ed here."""

    def __init__(self, stack: ExitStack, settings: ProxySettings, *more: str) -> None:
        self.server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.server.settimeout(AT_LAST_S)
        self.port = self.server.getsockname()[1]
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.told, tells = os.pipe()
        stack.callback(os.close, self.told)
        stack.callback(os.close, tells)
        self.tally = Tally()
        self.address = listening.getsockname()
        reachable = Reachable("agents.a.allow_hosts", [f"127.0.0.1:{self.port}", *more])
        self.proxy = Proxy(reachable, settings, listening, tells, self.tally)
        stop, self.stops = os.pipe()
        self.proxy.watch(stop, self.proxy.stop)
        stack.callback(os.close, stop)
        stack.callback(os.close, self.stops)
        self._stack = stack

    def connect(self) -> socket.socket:
        near = self._stack.enter_context(socket.create_connection(self.address, AT_LAST_S))
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return near

    def said(self, text: bytes) -> socket.socket:
        near = self.connect()
        near.sendall(text)
        return near

    def tunnel(self) -> tuple[socket.socket, socket.socket]:
        """Both ends of one that is open."""
        near = self.said(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\n" % self.port)
        assert got(near, 39) == b"HTTP/1.1 200 Connection established\r\n\r\n"
        return near, self.accept()

    def accept(self) -> socket.socket:
        far, _ = self.server.accept()
        far.settimeout(AT_LAST_S)
        return self._stack.enter_context(far)


def got(end: socket.socket, size: int) -> bytes:
    """So many bytes, or all until the end."""
    found = b""
    while len(found) < size and (piece := end.recv(size - len(found))):
        found += piece
    return found


def say_all(end: socket.socket) -> None:
    end.sendall(LARGE)
    end.shutdown(socket.SHUT_WR)


def rest(end: socket.socket) -> bytes:
    return got(end, 1 << 30)


@contextmanager
def scene(*more: str, **settings: Any) -> Iterator[Scene]:
    with ExitStack() as stack:
        found = Scene(stack, ProxySettings(**settings), *more)
        stack.enter_context(closing(found.proxy))
        thread = threading.Thread(target=found.proxy.run)
        thread.start()
        try:
            yield found
        finally:
            os.write(found.stops, b"\0")
            thread.join()


@pytest.fixture
def usual() -> Iterator[Scene]:
    with scene() as found:
        yield found


def test_a_tunnel_passes_on_both_ways_at_once_more_than_either_end_keeps(usual: Scene) -> None:
    near, far = usual.tunnel()
    heard: dict[str, bytes] = {}

    def both(name: str, end: socket.socket) -> list[threading.Thread]:
        return [
            threading.Thread(target=say_all, args=(end,)),
            threading.Thread(target=lambda: heard.update({name: rest(end)})),
        ]

    threads = [*both("near", near), *both("far", far)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard == {"near": LARGE, "far": LARGE}
    until(lambda: usual.tally.shared().sent_bytes == len(LARGE), AT_LAST_S, "the count")
    assert usual.tally.shared().received_bytes == len(LARGE)
    assert usual.tally.shared().connections == 1


def test_what_came_behind_the_head_is_passed_on_and_an_end_in_one_direction_is_only_that(
    usual: Scene,
) -> None:
    near = usual.said(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\nearly" % usual.port)
    near.shutdown(socket.SHUT_WR)
    far = usual.accept()
    assert rest(far) == b"early"
    far.sendall(b"late")
    far.close()
    assert rest(near).endswith(b"\r\n\r\nlate")


def test_one_request_is_passed_on_with_its_body_and_nothing_behind_it(usual: Scene) -> None:
    smuggled = b"GET http://b.example/ HTTP/1.1\r\nHost: b.example\r\n\r\n"
    near = usual.said(
        b"POST http://127.0.0.1:%d/x HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody" % usual.port + smuggled
    )
    far = usual.accept()
    head = (
        b"POST /x HTTP/1.1\r\nhost: 127.0.0.1:%d\r\ncontent-length: 4\r\nconnection: close\r\n\r\nbody"
        % usual.port
    )
    assert got(far, len(head)) == head
    near.sendall(smuggled)
    far.sendall(b"answer")
    far.shutdown(socket.SHUT_WR)
    assert got(near, 6) == b"answer"
    assert rest(far) == b""


def test_a_head_that_comes_byte_by_byte_is_read(usual: Scene) -> None:
    near = usual.connect()
    for byte in b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\n" % usual.port:
        near.sendall(bytes([byte]))
    usual.accept()
    assert got(near, 12) == b"HTTP/1.1 200"


@pytest.mark.parametrize("so_far", [b"", b"CONNECT a.example:1 HTTP/1.1\r\nx: y\r\n"])
def test_a_head_that_does_not_come_is_not_waited_for(so_far: bytes) -> None:
    with scene(header_timeout_s=0.1) as slow:
        assert rest(slow.said(so_far)).startswith(b"HTTP/1.1 408 ")


def test_silence_both_ways_ends_a_tunnel() -> None:
    with scene(idle_timeout_s=0.1) as idle:
        near, far = idle.tunnel()
        assert (rest(near), rest(far)) == (b"", b"")


@pytest.mark.parametrize("size", [1025, 100_000])
def test_a_head_has_a_greatest_length(size: int) -> None:
    with scene(max_header_bytes=1024) as small:
        near = small.connect()
        near.sendall(b"GET http://a.example/ HTTP/1.1\r\nx: ".ljust(size, b"y"))
        assert rest(near).startswith(b"HTTP/1.1 431 ")
    with scene(max_header_bytes=1024) as small:
        ended = b"GET http://a.example/ HTTP/1.1\r\nx: ".ljust(1022, b"y") + b"\r\n\r\n"
        assert rest(small.said(ended)).startswith(b"HTTP/1.1 431 ")


def test_so_many_connections_at_once_and_the_next_has_its_turn_when_one_ends() -> None:
    with scene(max_connections=2) as few:
        first, firsts_server = few.tunnel()
        few.tunnel()
        third = few.said(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\n" % few.port)
        few.server.settimeout(0.1)
        with pytest.raises(TimeoutError):
            few.server.accept()
        assert few.tally.shared().connections == 2
        first.close()
        firsts_server.close()
        few.server.settimeout(AT_LAST_S)
        few.accept().close()
        assert got(third, 12) == b"HTTP/1.1 200"


def test_what_is_refused_is_told_once_and_counted_every_time(usual: Scene) -> None:
    for _ in range(3):
        answer = rest(usual.said(b"CONNECT 127.0.0.1:1 HTTP/1.1\r\n\r\n"))
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert b'agents.a.allow_hosts ("127.0.0.1:1" would allow it)' in answer
    told = os.read(usual.told, 65_536).decode()
    assert told.count("\n") == 1
    assert "127.0.0.1:1, a loopback address" in told
    until(lambda: usual.tally.shared().refused == 3, AT_LAST_S, "the count")


def test_a_name_that_leads_to_where_nobody_was_allowed_to_is_refused_after_it_was_resolved() -> None:
    with scene("*:9") as any_name:
        answer = rest(any_name.said(b"CONNECT localhost:9 HTTP/1.1\r\n\r\n"))
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert b"localhost:9 leads to " in answer
        assert b", a loopback address, which is not in agents.a.allow_hosts" in answer


def test_a_name_that_is_listed_is_resolved_and_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with scene(f"localhost:{port}") as named:
            near = named.said(b"CONNECT localhost:%d HTTP/1.1\r\n\r\n" % port)
            assert got(near, 12) == b"HTTP/1.1 200"


def test_a_name_that_there_is_not_is_said_to_be_none() -> None:
    with scene("nowhere.invalid") as lost:
        answer = rest(lost.said(b"CONNECT nowhere.invalid:443 HTTP/1.1\r\n\r\n"))
        assert answer.startswith((b"HTTP/1.1 502 ", b"HTTP/1.1 504 "))


def test_where_nobody_listens_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with scene(f"127.0.0.1:{port}") as deaf:
        answer = rest(deaf.said(b"GET http://127.0.0.1:%d/ HTTP/1.1\r\n\r\n" % port))
        assert answer.startswith(b"HTTP/1.1 502 ")
        assert b"Connection refused" in answer


@pytest.mark.parametrize("leave", [lambda near, far: near.close(), lambda near, far: far.close()])
def test_who_leaves_takes_the_other_along(leave: Callable[[Any, Any], None]) -> None:
    with scene() as usual:
        near, far = usual.tunnel()
        leave(near, far)
        other = far if near.fileno() < 0 else near
        assert rest(other) == b""


def test_the_addresses_of_this_machine_are_known() -> None:
    assert is_own(ip_address("127.0.0.1"))
    assert not is_own(ip_address("192.0.2.1"))
