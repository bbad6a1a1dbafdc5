"""One row of the surface: a path, who answers it, and what may come in and go out.

The application is built from these, and so is `/openapi.json`: what is not a row is not served, and what is served
is described. Names, shapes and errors are those that the handlers themselves use.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from .parameters import Parameter

Handle = Callable[..., Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Text:
    """An answer that is no JSON. `says` is for the document."""

    media_type: str
    says: str


EVENT_STREAM = Text("text/event-stream", "Server-sent events; docs/events.md tells what they hold.")
PLAIN_TEXT = Text("text/plain", "Text in UTF-8.")
BYTES = Text("application/octet-stream", "Whatever is in the file.")

# What one status may hold: a msgspec type (JSON), a Text, None for no body, or a tuple where it may be several.
Content = Any


@dataclass(frozen=True, slots=True)
class Route:
    """`handle` is given a `Call` of somebody known; of an `open` route the request and the facade.

    `answers`: by status, for what goes well; a tuple is one of several. `body`: the struct that the body is decoded
    as, `required` its fields that must be there. `codes`: the errors of `errors.KINDS` that are this route's own,
    beside those that its method, its body and its parameters bring (`openapi.py`). `head`: whether HEAD is answered
    as GET is. The words of the document are the docstring of `handle`.
    """

    method: str
    path: str
    handle: Handle
    answers: Mapping[int, Content]
    body: Any = None
    required: tuple[str, ...] = ()
    parameters: tuple[Parameter[Any], ...] = ()
    codes: tuple[str, ...] = ()
    open: bool = False
    head: bool = True


def get(path: str, handle: Handle, **rest: Any) -> Route:
    """A row that is read; the rest as in `Route`."""
    return Route("GET", path, handle, **rest)


def post(path: str, handle: Handle, **rest: Any) -> Route:
    """A row that changes something; the rest as in `Route`."""
    return Route("POST", path, handle, **rest)


def delete(path: str, handle: Handle, **rest: Any) -> Route:
    """A row that takes something away; the rest as in `Route`."""
    return Route("DELETE", path, handle, **rest)
