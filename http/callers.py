"""Who asks: by key, by cookie, or anybody where that is configured; and whether it was he, or a page he looks at."""

from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from .auditing import WHO
from .auth import ANYONE, Who
from .context import Call, Facade
from .errors import Problem

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def known(facade: Facade, handle: Callable[[Call], Awaitable[web.StreamResponse]]) -> Handler:
    """The handler that finds out who asks, and only then calls `handle`."""

    async def handler(request: web.Request) -> web.StreamResponse:
        asker = request[WHO] = who(request, facade)
        if asker.ambient and request.method not in _SAFE_METHODS:
            trusted = facade.settings.http.cors_origins if asker is ANYONE else ()
            check_same_origin(request, trusted)
        with facade.presence.here(asker, request.transport):
            return await handle(Call(request, asker, facade))

    return handler


def who(request: web.Request, facade: Facade) -> Who:
    """Who sent the request, by key or by cookie. Raises `Problem` for nobody that is known."""
    secret = bearer(request)
    if secret is not None:
        found = facade.keys.owner_of(secret)
    elif facade.cookie in request.cookies:
        found = facade.sessions.holder_of(request.cookies[facade.cookie])
    else:
        found = None
    if found is None and facade.settings.auth.mode == "none":
        return ANYONE
    if found is None:
        raise wrong_key()
    return found


def bearer(request: web.Request) -> str | None:
    """The key in the Authorization header; None if there is no such header."""
    scheme, _, secret = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if not scheme:
        return None
    return secret.strip() if scheme.lower() == "bearer" else ""


def check_same_origin(request: web.Request, trusted: Sequence[str] = ()) -> None:
    """Raise `Problem` unless one of this server's own pages sent the request, a trusted one, or no browser did.

    Sec-Fetch-Site can't be set by a page (Fetch Metadata, W3C); browsers without it send Origin with every
    POST.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get(hdrs.ORIGIN)
    host = request.headers.get(hdrs.HOST)
    own_page = site == "same-origin" or (site is None and origin is not None and _netloc(origin) == host)
    no_browser = site is None and origin is None and hdrs.COOKIE not in request.headers
    if not own_page and not no_browser and origin not in trusted:
        raise Problem(
            "cross_site_request",
            "A browser may change state here only from this server's own pages. From elsewhere send the key "
            "as 'Authorization: Bearer KEY'.",
        )


def wrong_key() -> Problem:
    """Nobody that is known."""
    return Problem(
        "invalid_api_key",
        "Missing or invalid API key. Send 'Authorization: Bearer KEY' with a key of this server.",
        headers={"WWW-Authenticate": "Bearer"},
    )


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""
