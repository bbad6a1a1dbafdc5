"""`Idempotency-Key`: what one may look like, and when two bodies are the same body. Pure.

Same means the same canonical JSON, in the sense of RFC 8785: the order of names and white space don't count, and
`1`, `1.0` and `1e0` are one number.
"""

import hashlib
import json
from typing import Annotated

from aiohttp import web
from msgspec import Meta

from .errors import Problem
from .parameters import Parameter

HEADER = "Idempotency-Key"
_LONG = 1e21
REPLAYED = {"Idempotency-Replayed": "true"}
KEY = Parameter[str](
    HEADER,
    Annotated[str, Meta(pattern=r"^[!-~]{1,255}$")],
    "sent once, as 1 to 255 visible ASCII characters: a UUID, for example",
    where="header",
)


def key_of(request: web.Request) -> str | None:
    """The key of a request; None if it has none. Raises `Problem` if it is no key."""
    given = request.headers.getall(HEADER, [])
    return KEY.checked(" ".join(given)) if given else None  # a space is no part of a key: two are none


def body_hash(body: bytes) -> bytes:
    """The same for two bodies that are the same. `body` is known to be a JSON object; raises `Problem`."""
    try:
        canonical = json.dumps(json.loads(body, parse_float=_number), sort_keys=True, separators=(",", ":"))
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, or a very deep field
        raise Problem("invalid_json", "Invalid JSON: a number is too long, or too much is nested.") from error
    return hashlib.sha256(canonical.encode()).digest()


def _number(text: str) -> float:
    """As an integer only where that is not longer (RFC 8785 has 1e21, too): 1e308 would have 309 digits."""
    number = float(text)
    return int(number) if number.is_integer() and abs(number) < _LONG else number
