"""The head of a server's answer: it is told to the client that the connection ends with it. Pure.

Servers that were asked to close need not say that they will, and a client that is not told sends its next request
behind, which nobody reads.
"""

import re

from .proxy_request import END

_LONGEST_HEAD = 65_536  # a longer one is passed on as it is
_OF_THE_CONNECTION = re.compile(rb"(?im)^(?:connection|keep-alive|proxy-connection):[^\n]*\n")
_INTERIM = re.compile(rb"HTTP/1\.[01] 1[0-9][0-9] ")  # others follow (RFC 9110, section 15.2)


class Answer:
    """One answer on its way: what is given comes out of it, sooner or later."""

    def __init__(self) -> None:
        self._kept = b""
        self._headed = False

    def passed(self, piece: bytes) -> bytes:
        """What may be passed on after this piece; after the last, which is empty, all that is left."""
        if self._headed:
            return piece
        self._kept += piece
        out = b""
        while not self._headed and (end := self._kept.find(END)) >= 0:
            head, self._kept = self._kept[: end + len(END)], self._kept[end + len(END) :]
            self._headed = _INTERIM.match(head) is None
            out += _closing(head) if self._headed else head
        if self._headed or not piece or len(self._kept) > _LONGEST_HEAD:
            self._headed = True
            out, self._kept = out + self._kept, b""
        return out


def _closing(head: bytes) -> bytes:
    lines = _OF_THE_CONNECTION.sub(b"", head.removesuffix(END) + b"\r\n")
    return lines + b"connection: close" + END
