"""What a request may say beside its body: in the query and in headers. Each is read and described from one place.

`of` reads one of a request, for the handler; `openapi.py` makes the document from the same.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import msgspec
from aiohttp import web

from .errors import Problem

T = TypeVar("T")

_NUMBER = re.compile(r"[0-9]{1,18}\Z", re.ASCII)


def printable(text: str) -> str:
    """Text without control characters and lone surrogates, which nothing could be looked up by; else ValueError."""
    if not text.isprintable():
        raise ValueError(text)
    return text


def number(text: str) -> int:
    """A number of at most 18 digits; else ValueError."""
    if not _NUMBER.match(text):
        raise ValueError(text)
    return int(text)


@dataclass(frozen=True)
class Parameter(Generic[T]):
    """`type`: what msgspec checks it against. `must_be`: how a person is told what it may be."""

    name: str
    type: Any
    must_be: str
    where: Literal["query", "header"] = "query"
    read: Callable[[str], object] = printable
    code: str = "invalid_value"

    def of(self, request: web.Request) -> T | None:
        """What the request says; None if it says nothing. Raises `Problem`."""
        given = (request.query if self.where == "query" else request.headers).get(self.name)
        return None if given is None else self.checked(given)

    def checked(self, given: str) -> T:
        """The value of this text. Raises `Problem`."""
        try:
            value: T = msgspec.convert(self.read(given), self.type)
        except (ValueError, msgspec.ValidationError) as error:
            raise Problem(self.code, f"'{self.name}' must be {self.must_be}.", param=self.name) from error
        return value
