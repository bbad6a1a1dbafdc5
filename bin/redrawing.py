"""A page that is drawn again and again: on a terminal in place, elsewhere one after the other.

The terminal is given back as it was however the command ends: ctrl-C, SIGTERM, an error.
"""

import shutil
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any

ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"  # another screen, without a cursor; and back
HOME, REST_OF_LINE, REST_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"


class Redrawing:
    """Use it as a context, in the main thread. `width`: of the terminal, None where there is none."""

    def __init__(self) -> None:
        self._on_terminal = sys.stdout.isatty()
        self._before: Any = None

    def __enter__(self) -> "Redrawing":
        self._before = signal.signal(signal.SIGTERM, _end)
        if self._on_terminal:
            sys.stdout.write(ENTER)
            sys.stdout.flush()
        return self

    def __exit__(self, *_: object) -> None:
        if self._on_terminal:
            sys.stdout.write(LEAVE)
            sys.stdout.flush()
        signal.signal(signal.SIGTERM, self._before)

    @property
    def width(self) -> int | None:
        """In characters."""
        return shutil.get_terminal_size().columns if self._on_terminal else None

    def draw(self, lines: Sequence[str]) -> None:
        """Show these lines in place of those before; what a terminal has no room for is left out, and said to be."""
        if not self._on_terminal:
            print("\n".join(lines), end="\n\n", flush=True)
            return
        most = shutil.get_terminal_size().lines - 1
        left_out = len(lines) - most
        shown = list(lines) if left_out <= 0 else [*lines[: most - 1], f"… and {left_out + 1} more"]
        sys.stdout.write(HOME + "".join(f"{line}{REST_OF_LINE}\n" for line in shown) + REST_OF_SCREEN)
        sys.stdout.flush()


def _end(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
