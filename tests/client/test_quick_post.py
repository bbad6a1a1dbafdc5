"""One POST by a bare socket, against answers of every kind; and how little is loaded before it is sent."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import pytest

from runward.http.api_address import Address
from runward.http.api_errors import ServerUnreachable
from runward.http.quick_post import post

HEAVY = ("msgspec", "http.client", "email", "dataclasses", "asyncio", "runward.http.api_client")


@contextmanager
def answering(answer: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A server that reads one request, sends this, and hangs up; its URL and what it was sent."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connected, _ = server.accept()
            with closing(connected), suppress(ConnectionError):  # it need not hear all of it
                while b"}" not in b"".join(heard):
                    heard.append(connected.recv(65536))
                for at in range(0, len(answer), 3):  # in small pieces
                    connected.sendall(answer[at : at + 3])

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", heard
        thread.join()


@pytest.mark.parametrize(
    ("line", "status"), [(b"HTTP/1.1 200 OK", 200), (b"HTTP/1.1 404 Not Found", 404), (b"HTTP/1.0 200", 200)]
)
def test_the_status_of_the_answer_is_told(line: bytes, status: int) -> None:
    with answering(line + b"\r\nX: y\r\n\r\n{}") as (url, heard):
        assert post(Address(f"{url}/below", "the-key"), "/v1/runs/run_1/stop", {"grace_s": 0}, 5.0) == status
    head, _, body = b"".join(heard).partition(b"\r\n\r\n")
    assert head.startswith(b"POST /below/v1/runs/run_1/stop HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"\r\nAuthorization: Bearer the-key\r\n" in head
    assert f"\r\nContent-Length: {len(body)}\r\n".encode() in head
    assert body == b'{"grace_s": 0}'


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 2", b"SSH-2.0-x\r\n", b"HTTP/1.1 ok\r\n", b"x" * 9000])
def test_an_answer_that_says_nothing_leaves_it_unknown_whether_it_was_heard(answer: bytes) -> None:
    with answering(answer) as (url, _), pytest.raises(ServerUnreachable):
        post(Address(url, None), "/x", {}, 5.0)


def test_where_it_does_not_reach_nothing_is_sent() -> None:
    assert post(Address("https://127.0.0.1:9", None), "/x", {}, 5.0) is None
    assert post(Address("http://127.0.0.1:9", None), "/x", {}, 5.0) is None


def test_a_stop_is_sent_before_anything_heavy_is_loaded() -> None:
    names = "runward.bin.commands, runward.bin.stop, runward.http.quick_post, runward.config.where"
    question = f"import sys, {names}; print([name for name in {HEAVY} if name in sys.modules])"
    answer = subprocess.run(
        [sys.executable, "-P", "-c", question], capture_output=True, text=True, check=True
    )
    assert answer.stdout == "[]\n"
