"""Starts runward from a checkout, in an environment that is made on the first call and kept in step later.

This is on the way of every command: with nothing to do it reads two small files and imports next to nothing.
Standard library only, for it runs before anything is installed.
"""

from __future__ import annotations

import os

from . import stamp

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing typing would double the time that this takes
    from typing import NoReturn


def launch(checkout: str, argv: list[str]) -> NoReturn:
    """Become `runward ARGV` in the checkout's own environment."""
    python = ensure(checkout, {"smollm"} if "--smollm" in argv else set())
    # -P: the folder that the user stands in is no place to import from.
    os.execv(python, [python, "-P", "-m", "runward", *argv])


def ensure(checkout: str, extras: set[str]) -> str:
    """The path of `.venv/bin/python`, with runward, what it depends on and these extras installed.

    Blocks while another process installs. Exits with 78 and what to do about it where it can't be done.
    """
    if not stamp.is_current(checkout, extras):
        from . import installing

        installing.install(checkout, extras)
    return stamp.venv_python(checkout)
