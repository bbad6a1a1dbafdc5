"""Request bodies: read within limits, decoded and checked. Whatever is sent, the worst answer is a 4xx."""

import asyncio
import re
from typing import TypeVar
from urllib.parse import quote

import msgspec
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from .errors import Problem

T = TypeVar("T")

IGNORED_NAMES = 20  # how many the header names at most
IGNORED_LENGTH = 64
_WHERE = re.compile(r" - at `(?P<key>key in )?\$?(?P<path>[^`]*)`$")
_CLOSE = {"Connection": "close"}
_BAD_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


async def read(request: web.Request, timeout_s: float) -> bytes:
    """The whole body. Raises `Problem` (not JSON by its type, too slow) or aiohttp's own 413."""
    if not request.can_read_body:
        return b""
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise Problem("not_json", "Send the body without Content-Encoding.")
    if "Content-Type" in request.headers and not _is_json(request.content_type):
        raise Problem("not_json", "Send JSON, with the header 'Content-Type: application/json'.")
    try:
        async with asyncio.timeout(timeout_s):
            return await request.read()
    except TimeoutError as error:
        raise Problem(
            "request_timeout",
            f"The body did not arrive within {timeout_s:g} s. Send it faster.",
            headers=_CLOSE,
        ) from error
    except (web.RequestPayloadError, HttpProcessingError) as error:
        raise Problem(
            "bad_request", "The body breaks off, or its chunks are malformed.", headers=_CLOSE
        ) from error


def decode(body: bytes, shape: type[T]) -> tuple[T, list[str]]:
    """The body as `shape`, and the names of the fields that it does not have. Raises `Problem`."""
    try:
        fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError as error:
        raise Problem("invalid_json", 'The body must be a JSON object, as in {"input": "…"}.') from error
    except _BAD_JSON as error:
        raise Problem("invalid_json", "Invalid JSON: the body must be one JSON object in UTF-8.") from error
    known = set(getattr(shape, "__struct_encode_fields__", ()))
    try:
        return msgspec.json.decode(body, type=shape), [name for name in fields if name not in known]
    except msgspec.ValidationError as error:
        raise _invalid(error) from error
    except _BAD_JSON as error:
        raise Problem("invalid_json", "Invalid JSON: the body must be one JSON object in UTF-8.") from error


def decode_optional(body: bytes, shape: type[T]) -> tuple[T, list[str]]:
    """The same, where no body at all stands for an empty object."""
    return decode(body if body.strip() else b"{}", shape)


def checked_grace(grace_s: float | None) -> float | None:
    """The `grace_s` of a stop; raises `Problem` if nobody can wait that long."""
    if grace_s is not None and not 0 <= grace_s < 1e9:
        raise Problem("invalid_value", "'grace_s' must be a number of seconds from 0 up.", param="grace_s")
    return grace_s


def ignored_header(names: list[str]) -> dict[str, str]:
    """The header that names what was ignored; nothing if nothing was."""
    if not names:
        return {}
    shown = [
        quote(name[:IGNORED_LENGTH], safe=" !#$&'()*+/:;<=>?@[]^_`{|}~") for name in names[:IGNORED_NAMES]
    ]
    return {"Runward-Ignored": ", ".join(shown)}


def _is_json(content_type: str) -> bool:
    return content_type == "application/json" or content_type.endswith("+json")


def _invalid(error: msgspec.ValidationError) -> Problem:
    """msgspec says "Expected `str`, got `int` - at `$.input`"; a person wants the field first."""
    text = str(error)
    where = _WHERE.search(text)
    if where is None:
        return Problem("invalid_value", f"{text}.")
    path = where["path"].lstrip(".")
    what = text[: where.start()]
    return Problem("invalid_value", f"'{path}' is not valid: {what}.", param=path or None)
