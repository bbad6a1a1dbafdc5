"""The head of a request to the proxy: what is passed on, and what is refused because it could be read in two ways."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runward.actors.proxy_answer import Answer
from runward.actors.proxy_request import MOST_HEADERS, BadRequest, Request, parse


def head(*lines: str) -> bytes:
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


@pytest.mark.parametrize(
    ("target", "host", "port"),
    [
        ("a.example:443", "a.example", 443),
        ("A.Example.:443", "a.example", 443),
        ("10.0.0.1:1", "10.0.0.1", 1),
        ("[::1]:65535", "::1", 65535),
        ("[::FFFF:7f00:1]:80", "::ffff:7f00:1", 80),
    ],
)
def test_a_tunnel(target: str, host: str, port: int) -> None:
    assert parse(head(f"CONNECT {target} HTTP/1.1", "Host: other")) == Request(host, port)


def test_what_is_passed_on_names_the_host_that_was_judged_and_ends_with_the_answer() -> None:
    found = parse(
        head(
            "POST http://A.example:81/x?y=http://b HTTP/1.1",
            "Host: b.example",
            "Connection: keep-alive, X-Hop",
            "Proxy-Connection: keep-alive",
            "Proxy-Authorization: secret",
            "Upgrade: h2c",
            "X-Hop: 1",
            "X-Stays: 1",
            "Content-Length: 12",
        )
    )
    assert (found.host, found.port, found.body_bytes) == ("a.example", 81, 12)
    assert found.head == (
        b"POST /x?y=http://b HTTP/1.1\r\nhost: A.example:81\r\nx-stays: 1\r\ncontent-length: 12\r\n"
        b"connection: close\r\n\r\n"
    )


@pytest.mark.parametrize(("target", "path"), [("", "/"), ("/", "/"), ("?q", "/?q"), ("/a//b", "/a//b")])
def test_a_path(target: str, path: str) -> None:
    found = parse(head(f"GET http://a.example{target} HTTP/1.0"))
    assert found.head == f"GET {path} HTTP/1.0\r\nhost: a.example\r\nconnection: close\r\n\r\n".encode()
    assert found.body_bytes == 0


@pytest.mark.parametrize(
    ("status", "lines"),
    [
        (400, ["GET / HTTP/1.1", "Host: a"]),
        (400, ["OPTIONS * HTTP/1.1"]),
        (400, ["GET https://a.example/ HTTP/1.1"]),
        (400, ["GET ftp://a.example/ HTTP/1.1"]),
        (400, ["GET http://u:p@a.example/ HTTP/1.1"]),
        (400, ["GET http://a.example@b.example/ HTTP/1.1"]),
        (400, ["GET http:///x HTTP/1.1"]),
        (400, ["GET http://a.example/ HTTP/2.0"]),
        (400, ["GET http://a.example/ x HTTP/1.1"]),
        (400, ["GET  http://a.example/ HTTP/1.1"]),
        (400, ["GET http://a.example/"]),
        (400, [" GET http://a.example/ HTTP/1.1"]),
        (400, ["CONNECT a.example HTTP/1.1"]),
        (400, ["CONNECT a.example:0 HTTP/1.1"]),
        (400, ["CONNECT a.example:65536 HTTP/1.1"]),
        (400, ["CONNECT http://a.example/ HTTP/1.1"]),
        (400, ["CONNECT 127.1:80 HTTP/1.1"]),
        (400, ["CONNECT 2130706433:80 HTTP/1.1"]),
        (400, ["CONNECT 0x7f000001:80 HTTP/1.1"]),
        (400, ["CONNECT 0177.0.0.1:80 HTTP/1.1"]),
        (400, ["CONNECT [::1%25lo]:80 HTTP/1.1"]),
        (400, ["CONNECT [zz]:80 HTTP/1.1"]),
        (400, ["CONNECT a.example\x00.b:80 HTTP/1.1"]),
        (400, ["GET http://a.example/ HTTP/1.1", "X : 1"]),
        (400, ["GET http://a.example/ HTTP/1.1", "X: 1", " folded"]),
        (400, ["GET http://a.example/ HTTP/1.1", "X: 1\nY: 2"]),
        (400, ["GET http://a.example/ HTTP/1.1", "X: 1\rY: 2"]),
        (400, ["GET http://a.example/ HTTP/1.1", "X: \x00"]),
        (400, ["GET http://a.example/ HTTP/1.1", "nothing"]),
        (400, ["POST http://a.example/ HTTP/1.1", "Content-Length: 1", "Content-Length: 2"]),
        (400, ["POST http://a.example/ HTTP/1.1", "Content-Length: 1", "Content-Length: 1"]),
        (400, ["POST http://a.example/ HTTP/1.1", "Content-Length: +1"]),
        (400, ["POST http://a.example/ HTTP/1.1", "Content-Length: 1, 1"]),
        (400, ["POST http://a.example/ HTTP/1.1", "Content-Length: 99999999999999999999"]),
        (411, ["POST http://a.example/ HTTP/1.1", "Transfer-Encoding: chunked"]),
        (411, ["POST http://a.example/ HTTP/1.1", "Transfer-Encoding: chunked", "Content-Length: 1"]),
        (431, ["GET http://a.example/ HTTP/1.1", *["X: 1"] * (MOST_HEADERS + 1)]),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(status: int, lines: list[str]) -> None:
    with pytest.raises(BadRequest) as refused:
        parse(head(*lines))
    assert refused.value.status == status


@given(st.binary(max_size=300))
def test_nothing_but_a_refusal_comes_of_rubbish(rubbish: bytes) -> None:
    for text in (
        rubbish,
        b"GET http://a.example/ HTTP/1.1\r\n" + rubbish,
        b"CONNECT " + rubbish + b" HTTP/1.1",
    ):
        with contextlib.suppress(BadRequest):
            parse(text + b"\r\n\r\n")


@given(st.lists(st.text(alphabet="aX:,- \t\r\n\x00é", max_size=12), max_size=6))
def test_whatever_is_passed_on_is_one_head_with_one_host(fields: list[str]) -> None:
    try:
        found = parse(head("GET http://a.example/x HTTP/1.1", *fields))
    except BadRequest:
        return
    assert found.head is not None
    assert found.head.find(b"\r\n\r\n") == len(found.head) - 4
    lines = found.head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    assert [line for line in lines if line.lower().startswith(b"host")] == [b"host: a.example"]
    assert b"\n" not in b"".join(lines)
    assert b"\r" not in b"".join(lines)


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize(
    ("said", "passed"),
    [
        (b"HTTP/1.1 200 OK\r\nA: 1\r\n\r\nbody", b"HTTP/1.1 200 OK\r\nA: 1\r\nconnection: close\r\n\r\nbody"),
        (b"HTTP/1.1 204 No\r\n\r\n", b"HTTP/1.1 204 No\r\nconnection: close\r\n\r\n"),
        (
            b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\nA: 1\r\n\r\nx: y\r\n\r\nz",
            b"HTTP/1.1 200 OK\r\nA: 1\r\nconnection: close\r\n\r\nx: y\r\n\r\nz",
        ),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nbody",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nconnection: close\r\n\r\nbody",
        ),
        (b"no head at all", b"no head at all"),
        (b"", b""),
    ],
)
def test_an_answer_says_that_the_connection_ends_with_it(said: bytes, passed: bytes, size: int) -> None:
    answer = Answer()
    pieces = [said[start : start + size] for start in range(0, len(said), size)]
    assert b"".join(answer.passed(piece) for piece in [*pieces, b""]) == passed
