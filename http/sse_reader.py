"""Bytes to server-sent events, as the HTML standard's "interpreting an event stream" tells it. No I/O.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

END_OF_LINE = re.compile(rb"\r\n|\n|\r")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Frame(NamedTuple):
    """One event as it stood on the wire. `id` is the last one seen, on this frame or an earlier one."""

    id: str
    data: str


class SseReader:
    """Takes bytes as they come, cut anywhere, and gives whole frames. One for each connection.

    `retry_ms` is the server's wish, None until it said so. An unfinished frame at the end is dropped.
    """

    def __init__(self) -> None:
        self.retry_ms: int | None = None
        self._rest = b""
        self._first = True
        self._id = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[Frame]:
        """The frames that this chunk completes. Exhaust it before the next chunk."""
        for line in self._lines(chunk):
            if line:
                self._field(line.decode("utf-8", "replace"))
            elif self._data:
                yield Frame(self._id, "\n".join(self._data))
                self._data.clear()

    def _lines(self, chunk: bytes) -> list[bytes]:
        text = self._rest + chunk
        # A return at the very end may be half of a line's end.
        held = b"\r" if text.endswith(b"\r") else b""
        *lines, rest = END_OF_LINE.split(text.removesuffix(b"\r"))
        self._rest = rest + held
        if self._first and lines:
            lines[0] = lines[0].removeprefix(BYTE_ORDER_MARK)
            self._first = False
        return lines

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")  # a comment has no name
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self.retry_ms = int(value)
