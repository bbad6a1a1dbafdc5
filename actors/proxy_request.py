"""The head of a request to the proxy: what it asks for, and what is passed on of it. Pure, and stricter than most.

What two readers of one request could read differently is refused, not guessed at (RFC 9112, sections 2.2, 3.2, 5.1,
6.3 and 11.2): one request a connection, framed by a Content-Length or without a body, its Host made of its target.
"""

import re
from typing import NamedTuple

from ..config.allowed_hosts import is_name
from .reachable import literal

END = b"\r\n\r\n"
MOST_HEADERS = 100
_LONGEST_BODY = 2**53

_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) ([\x21-\x7e]{1,8192}) (HTTP/1\.[01])")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,254})(?::([0-9]{1,5}))?")
_ABSOLUTE = re.compile(rb"(?i:http)://([^/?#]*)([/?][^#]*)?")
# Of this connection, not of the request (RFC 9110, section 7.6.1), and what framing or the target say anew.
_NOT_PASSED_ON = {
    *(b"connection", b"proxy-connection", b"keep-alive", b"te", b"trailer", b"upgrade", b"host"),
    *(b"proxy-authorization", b"proxy-authenticate", b"content-length"),
}


class BadRequest(ValueError):
    """A request that is refused for its form: the status to answer with, and why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Request(NamedTuple):
    """`head` is what the server is sent, None for a tunnel. `host` is in lower case, without brackets or last dot."""

    host: str
    port: int
    head: bytes | None = None
    body_bytes: int = 0


def parse(head: bytes) -> Request:
    """Read a whole head, with its empty line. Raises `BadRequest`, and nothing else."""
    line, *fields = head.removesuffix(END).split(b"\r\n")
    known = _REQUEST_LINE.fullmatch(line)
    if known is None:
        raise BadRequest(400, "the request line is not one of HTTP/1.1")
    method, target, version = known.groups()
    headers = [_header(field) for field in fields]
    if len(headers) > MOST_HEADERS:
        raise BadRequest(431, f"more than {MOST_HEADERS} header fields")
    if method == b"CONNECT":
        host, port = _authority(target, None)
        return Request(host, port)
    return _plain(method, target, version, headers)


def _plain(method: bytes, target: bytes, version: bytes, headers: list[tuple[bytes, bytes]]) -> Request:
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None:
        raise BadRequest(400, "this is a proxy: ask for http://HOST/PATH, or CONNECT HOST:PORT")
    host, port = _authority(absolute[1], 80)
    body_bytes = _body_bytes(headers)
    named = {
        word.strip().lower() for name, text in headers if name == b"connection" for word in text.split(b",")
    }
    passed = [
        b"%s: %s" % header for header in headers if header[0] not in _NOT_PASSED_ON and header[0] not in named
    ]
    if body_bytes is not None:
        passed.append(b"content-length: %d" % body_bytes)
    path = absolute[2] or b"/"
    path = path if path.startswith(b"/") else b"/" + path
    lines = [b"%s %s %s" % (method, path, version), b"host: " + absolute[1], *passed, b"connection: close"]
    return Request(host, port, b"\r\n".join(lines) + END, body_bytes or 0)


def _header(field: bytes) -> tuple[bytes, bytes]:
    known = _HEADER.fullmatch(field)
    if known is None:
        raise BadRequest(400, "a header field that is none")
    return known[1].lower(), known[2].rstrip(b" \t")


def _body_bytes(headers: list[tuple[bytes, bytes]]) -> int | None:
    if any(name == b"transfer-encoding" for name, _ in headers):
        raise BadRequest(411, "a request over plain HTTP has to tell its Content-Length here")
    lengths = [text for name, text in headers if name == b"content-length"]
    if not lengths:
        return None
    if len(lengths) > 1 or not re.fullmatch(rb"[0-9]{1,16}", lengths[0]) or int(lengths[0]) > _LONGEST_BODY:
        raise BadRequest(400, "a Content-Length that is none, or more than one")
    return int(lengths[0])


def _authority(text: bytes, default_port: int | None) -> tuple[str, int]:
    known = _AUTHORITY.fullmatch(text.decode("ascii", errors="replace"))
    port = int(known[2]) if known is not None and known[2] else default_port
    if known is None or port is None or not 0 < port < 65_536:
        raise BadRequest(400, "the target is no HOST:PORT")
    host = known[1].lower()
    if host.startswith("["):
        host = host[1:-1]
        if literal(host) is None:
            raise BadRequest(400, "the target's address is none")
    elif literal(host) is None:
        host = host.removesuffix(".")
        if not is_name(host):
            raise BadRequest(400, "the target is no host name")
    return host, port
