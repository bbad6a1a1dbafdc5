"""A terminal that shows what a command draws on it, and tells what it was left as."""

import codecs
import os
import select
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyte

from .processes import DEADLINE_S, RUNWARD, Command, on_terminal

ROWS, COLUMNS = 30, 160
ENTERED, LEFT, CURSOR = "\x1b[?1049h", "\x1b[?1049l", "\x1b[?25h"


class Screen:
    """What a person at the terminal sees, and types."""

    def __init__(self, command: Command, ear: int) -> None:
        self.command = command
        self.said = ""
        self._ear = ear
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.Stream(self._screen)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._as_it_was = self.settings

    @property
    def settings(self) -> list[Any]:
        """Of the terminal: whether it echoes, in which mode it is."""
        return termios.tcgetattr(self._ear)

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self._screen.display]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def press(self, keys: str) -> None:
        os.write(self._ear, keys.encode())

    def await_showing(self, *words: str, without: str = "\0") -> str:
        """What is seen once all these words are, and others are not."""
        until = time.monotonic() + DEADLINE_S
        while without in self.text or not all(each in self.text for each in words):
            assert self._hear(until), f"it ended without showing {words}, but:\n{self.text}"
        return self.text

    def await_end(self) -> int:
        """The command's exit code. The terminal is as it was then, whatever was done to it."""
        until = time.monotonic() + DEADLINE_S
        while self._hear(until):
            pass
        code = self.command.process.wait(DEADLINE_S)
        assert "Traceback" not in self.said, self.said
        assert self.settings == self._as_it_was
        if ENTERED in self.said:
            assert self.said.rindex(LEFT) > self.said.rindex(ENTERED)
            assert CURSOR in self.said[self.said.rindex(ENTERED) :]
        return code

    def _hear(self, until: float) -> bool:
        ready, _, _ = select.select([self._ear], [], [], max(until - time.monotonic(), 0))
        assert ready, f"nothing came in {DEADLINE_S} s, and it shows:\n{self.text}"
        try:
            heard = self._decoder.decode(os.read(self._ear, 65536))
        except OSError:  # EIO: the terminal's other end is closed
            return False
        self.said += heard
        self._stream.feed(heard)
        return bool(heard)


@contextmanager
def at_screen(
    words: Sequence[str], environment: dict[str, str], program: Sequence[str] = RUNWARD
) -> Iterator[Screen]:
    """The command, or another program, at such a terminal."""
    terminal = {"TERM": "xterm-256color", **environment}
    with on_terminal(words, terminal, ROWS, COLUMNS, program) as command:
        yield Screen(command, command.ear)
