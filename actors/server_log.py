"""The server's own log: one line on stderr for each thing worth telling, from whichever process of ours.

A person at a terminal reads sentences; what reads a file or a pipe gets a JSON object a line. A line is one write, so
that those of several processes don't mix, and it never waits: what nobody reads is dropped, and the next line that
gets out says how many. It holds no key, no input, no output: only names and ids are given to it.
"""

import os
import select
import time
from typing import Any, Literal

import msgspec

Format = Literal["auto", "json", "text"]
Level = Literal["info", "warning", "error"]

STDERR = 2
LONGEST = 4096  # a pipe that poll(2) calls writable takes so much in one piece (pipe(7): PIPE_BUF)


class ServerLog:
    """Of one process."""

    def __init__(self, process: str, as_json: bool, fd: int = STDERR) -> None:
        self._process = process
        self._as_json = as_json
        self._fd = fd
        self._dropped = 0

    def say(self, message: str, level: Level = "info", **fields: Any) -> None:
        """Write it, or drop it. Never raises, never blocks."""
        if self._dropped:
            fields["lines_dropped"] = self._dropped
        line = (self._json if self._as_json else _text)(message, level, fields)
        if self._write(line):
            self._dropped = 0
        else:
            self._dropped += 1

    def _json(self, message: str, level: Level, fields: dict[str, Any]) -> bytes:
        head = {"at": time.time(), "level": level, "process": self._process, "message": message}
        line = msgspec.json.encode({**head, **fields})
        if len(line) < LONGEST:
            return line + b"\n"
        # Cut where it is text still, so that what is left is JSON: each character is at most six bytes in it.
        return msgspec.json.encode({**head, "message": message[: LONGEST // 8], "cut": True}) + b"\n"

    def _write(self, line: bytes) -> bool:
        try:
            poll = select.poll()
            poll.register(self._fd, select.POLLOUT)
            ready = poll.poll(0)
            if not ready or not ready[0][1] & select.POLLOUT:
                return False
            os.write(self._fd, line)
        except OSError:  # its disk is full, or its reader has left: that ends no server
            return False
        return True


def _text(message: str, _level: Level, fields: dict[str, Any]) -> bytes:
    """For a terminal, which must not obey what somebody put into a path."""
    trace = str(fields.pop("trace", ""))
    told = "".join(f" {name}={_quoted(str(value))}" for name, value in fields.items())
    lines = [f"runward: {message}{told}", *trace.splitlines()]
    return "\n".join(map(_harmless, lines)).encode(errors="replace")[: LONGEST - 1] + b"\n"


def _quoted(value: str) -> str:
    """So that what somebody put into a path is not taken for other fields."""
    return msgspec.json.encode(value).decode() if any(each in value for each in ' ="') else value


def _harmless(line: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in line)


_log = ServerLog("", as_json=False)


def begin(process: str, form: Format) -> None:
    """From now on this process, of this name, writes in this form."""
    global _log
    _log = ServerLog(process, form == "json" or (form == "auto" and not _is_terminal()))


def say(message: str, level: Level = "info", **fields: Any) -> None:
    """Tell whoever keeps the server. Never raises, never blocks."""
    _log.say(message, level, **fields)


def _is_terminal() -> bool:
    try:
        return os.isatty(STDERR)
    except OSError:
        return False
