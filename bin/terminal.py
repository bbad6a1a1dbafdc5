"""What people see: text made safe for a terminal, and lines on stderr that are not the output.

What an agent says is untrusted, and a terminal obeys escape sequences: there they are shown, not obeyed.
Into a file or a pipe the text goes as it is.
"""

import codecs
import os
import re
import sys
from io import BytesIO
from typing import Any, TextIO

CONTROL = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
DIM, PLAIN = "\x1b[2m", "\x1b[0m"


def tame(text: str) -> str:
    """The text with everything that a terminal would obey made visible, new lines and tabs apart."""
    if text.isascii() and text.isprintable():
        return text
    return re.sub(CONTROL, lambda found: f"\\x{ord(found[0]):02x}", text)


def one_line(text: str, width: int | None = None) -> str:
    """The text tamed and on one line, cut to a width in characters where one is given."""
    line = tame(text).replace("\n", "\\n").replace("\t", "\\t")
    return line if width is None or len(line) <= width else f"{line[: max(width - 1, 0)]}…"


def has_colours(stream: TextIO) -> bool:
    """Whether to send colours there; see no-color.org."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def whisper(line: str) -> None:
    """A line beside the output, dimmed: what happened, for whoever watches."""
    text = one_line(line)
    print(f"{DIM}{text}{PLAIN}" if has_colours(sys.stderr) else text, file=sys.stderr, flush=True)


def say(line: str) -> None:
    """A line that somebody has to read."""
    print(f"runward: {one_line(line)}", file=sys.stderr, flush=True)


def confirmed(question: str) -> bool:
    """Whether the person at the terminal says yes; no is what a bare return or the end of stdin means."""
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


class Output:
    """The agent's own words, to stdout as they come. No other line lands in the middle of one of its."""

    def __init__(self) -> None:
        self.used = False
        self._in_line = False
        self._taming = sys.stdout.isatty()
        self._shared = self._taming and sys.stderr.isatty()

    def write(self, text: str) -> None:
        """Shown at once. Raises BrokenPipeError when nobody reads."""
        if text:
            sys.stdout.write(tame(text) if self._taming else text)
            sys.stdout.flush()
            self.used = True
            self._in_line = not text.endswith("\n")

    def beside(self, line: str) -> None:
        """A dimmed line on stderr, on a line of its own where both are the same terminal."""
        if self._in_line and self._shared:
            self.end_line()
        whisper(line)

    def end_line(self) -> None:
        """Close the line that the agent left open."""
        if self._in_line:
            self.write("\n")


class TamedBytes(BytesIO):
    """A file that shows on stdout, a terminal, what is written to it, and keeps nothing."""

    def __init__(self) -> None:
        super().__init__()
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._output = Output()

    def write(self, block: Any, /) -> int:
        """Shown at once."""
        self._output.write(self._decoder.decode(bytes(block)))
        return len(block)
