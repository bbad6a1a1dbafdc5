"""`/v1/session`: a browser, which can't send a key with `EventSource`, trades it for a cookie."""

from aiohttp import hdrs, web

from . import bodies, callers
from .auditing import WHO
from .auth import Who
from .context import Facade, answer
from .errors import Problem
from .schemas import SessionBody, SessionView, WhoAmI


async def show(request: web.Request, facade: Facade) -> web.Response:
    """`GET /v1/session`: 200 with who asks, or with nobody: a page learns whether it must ask for a key."""
    try:
        who = callers.who(request, facade)
    except Problem:
        return answer(WhoAmI())
    return answer(WhoAmI(name=who.name, role=who.role))


async def begin(request: web.Request, facade: Facade) -> web.Response:
    """`POST /v1/session`: with the key as bearer or in the body, or with the one-time token of the link."""
    if hdrs.ORIGIN in request.headers:  # else another page could have its reader be somebody else
        callers.check_same_origin(request, facade.settings.http.cors_origins)
    raw = await bodies.read(request, facade.settings.http.body_timeout_s)
    body, ignored = bodies.decode_optional(raw, SessionBody)
    who = request[WHO] = _proven(request, facade, body)
    value, expires_at = facade.sessions.issue(who)
    response = answer(
        SessionView(name=who.name, role=who.role, expires_at=expires_at),
        headers=bodies.ignored_header(ignored),
    )
    response.set_cookie(
        facade.cookie,
        value,
        max_age=facade.settings.auth.session_s,
        path="/",
        secure=facade.settings.http.behind_tls_proxy,
        httponly=True,
        samesite="Strict",
    )
    return response


async def end(request: web.Request, facade: Facade) -> web.Response:
    """`DELETE /v1/session`: 204, and the browser forgets the cookie. Nobody needs to be known for that."""
    if facade.cookie in request.cookies:
        callers.check_same_origin(request)
    response = web.Response(status=204)
    response.del_cookie(
        facade.cookie,
        path="/",
        secure=facade.settings.http.behind_tls_proxy,
        httponly=True,
        samesite="Strict",
    )
    return response


def _proven(request: web.Request, facade: Facade, body: SessionBody) -> Who:
    secret = callers.bearer(request) or body.key
    if secret:
        who = facade.keys.owner_of(secret)
    elif body.token:
        who = facade.token.redeem(body.token)
        if who is None:
            raise Problem(
                "invalid_api_key",
                "This link was used, is too old, or is of an earlier start of the server. Use a key instead.",
                param="token",
            )
    else:
        who = None
    if who is None:
        raise callers.wrong_key()
    return who
