"""Who changed what: a line in the server's log for every request that may change something, from whomever it knows.

By method and not by handler, so that none is forgotten: all but GET, HEAD and OPTIONS. The line has the name of the
key, never the key, and of the request its path and its id, never its body.
"""

import logging
import traceback
from typing import Any

from aiohttp import web

from ..actors import server_log
from .auth import Who


def request_key(name: str) -> Any:
    """Of something that a request holds; aiohttp has wanted more than a name for that since 3.14."""
    return web.RequestKey(name, object) if hasattr(web, "RequestKey") else name


WHO = request_key("who")  # a `Who`
NOTES = request_key("notes")

LONGEST_TRACE = 2048  # characters; the end tells what went wrong
_READS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_RUNS = "/v1/runs/"


def note(request: web.Request, **fields: Any) -> None:
    """Something that the audit line of this request is to say; the handler's, before it answers."""
    request[NOTES] = {**request.get(NOTES, {}), **fields}


def audit(request: web.Request, response: web.StreamResponse, route: str, request_id: str) -> None:
    """Tell of it, as its answer is about to be sent. Nothing of who is nobody: that changed nothing."""
    who: Who | None = request.get(WHO)
    if who is None or request.method in _READS:
        return
    run_id = request.match_info.get("run_id") or response.headers.get("Location", "").removeprefix(_RUNS)
    fields: dict[str, Any] = {"run_id": run_id[:64]} if run_id else {}
    fields |= request.get(NOTES, {})
    action = f"{request.method} {route}"
    server_log.say(
        "audit", action=action, key=who.name, status=response.status, request_id=request_id, **fields
    )


def keys_changed(made: list[str], revoked: list[str]) -> None:
    """Keys were made or revoked by command: by whoever may write to the state folder, whose name nobody knows."""
    server_log.say("audit", action="keys", made=made, revoked=revoked)


class ToServerLog(logging.Handler):
    """What libraries and our own mistakes have to say, as lines of the server's log."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)

    def emit(self, record: logging.LogRecord) -> None:
        """Never raises."""
        fields: dict[str, Any] = {"logger": record.name}
        if record.exc_info and record.exc_info[1] is not None:
            trace = "".join(traceback.format_exception(record.exc_info[1]))
            fields["trace"] = f"Traceback {trace[-LONGEST_TRACE:]}" if len(trace) > LONGEST_TRACE else trace
        is_error = record.levelno >= logging.ERROR
        server_log.say(record.getMessage(), "error" if is_error else "warning", **fields)
