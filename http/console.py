"""`GET /`: the console, one page and its few files. Open to everybody: what it shows it asks for with a session.

It is served as it lies in `console/`: nothing is built, and nothing comes from elsewhere. Its policy lets the page
run this server's own scripts and talk to this server alone, and has the browser refuse to make markup of text
(Trusted Types), whatever an agent writes.
"""

import hashlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from aiohttp import hdrs, web

from .context import Facade
from .errors import Problem
from .route import Text

FOLDER = Path(__file__).with_name("console")
PAGE = "index.html"
HTML = Text("text/html", "The page.")
SCRIPT = Text("text/javascript", "A module of it.")
STYLE = Text("text/css", "How it looks.")
IMAGE = Text("image/svg+xml", "A drawing.")
TYPES = {".html": HTML, ".js": SCRIPT, ".css": STYLE, ".svg": IMAGE}
POLICY = "; ".join([
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
])  # fmt: skip


class Asset(NamedTuple):
    """A file as it is sent. `etag`: of its content."""

    body: bytes
    content_type: str
    etag: str


async def page(request: web.Request, facade: Facade) -> web.Response:  # noqa: ARG001 (all open routes get it)
    """`GET /`: the page. It shows nothing without a session."""
    return _answer(request, PAGE)


async def asset(request: web.Request, facade: Facade) -> web.Response:  # noqa: ARG001 (all open routes get it)
    """`GET /console/{name}`: one of the page's files, and never anything else."""
    return _answer(request, request.match_info["name"])


@cache
def assets() -> dict[str, Asset]:
    """Every file of the console by its name, read once: a request chooses among these, and names no path."""
    return {
        file.name: Asset(
            body := file.read_bytes(), TYPES[file.suffix].media_type, hashlib.sha256(body).hexdigest()[:32]
        )
        for file in FOLDER.iterdir()
        if file.suffix in TYPES
    }


def _answer(request: web.Request, name: str) -> web.Response:
    found = assets().get(name)
    if found is None:
        raise Problem("file_not_found", "The console has no such file.")
    headers: dict[str, str] = {hdrs.CACHE_CONTROL: "no-cache", hdrs.ETAG: f'"{found.etag}"'}
    if found.content_type == HTML.media_type:
        headers["Content-Security-Policy"] = POLICY
    if _has(request, found.etag):
        return web.Response(status=304, headers=headers)
    return web.Response(body=found.body, content_type=found.content_type, charset="utf-8", headers=headers)


def _has(request: web.Request, etag: str) -> bool:
    """Whether the browser has this very content already (RFC 9110, 13.1.2)."""
    given = request.if_none_match or ()
    return any(each.value in (etag, "*") for each in given)
