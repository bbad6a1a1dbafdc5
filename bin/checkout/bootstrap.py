"""Keeps `.venv` beside the checkout in step with `pyproject.toml`, and starts runward from it.

This is on the way of every command: with nothing to do it reads two small files and imports next to nothing.
Standard library only, for it runs before anything is installed.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing typing would double the time that this takes
    from typing import NoReturn


def launch(checkout: str, argv: list[str]) -> NoReturn:
    """Become `runward ARGV` in the checkout's own environment, which is made or brought up to date first."""
    python = ensure(checkout, {"smollm"} if "--smollm" in argv else set())
    # -P: the folder that the user stands in is no place to import from.
    os.execv(python, [python, "-P", "-m", "runward", *argv])


def ensure(checkout: str, extras: set[str]) -> str:
    """The path of `.venv/bin/python`, with runward, what it depends on and these extras installed.

    Blocks while another process installs. Exits with 78 and what to do about it where it can't be done.
    """
    if not is_current(checkout, extras):
        from . import installing

        installing.install(checkout, extras)
    return venv_python(checkout)


def venv_python(checkout: str) -> str:
    return os.path.join(checkout, ".venv", "bin", "python")


def is_current(checkout: str, extras: set[str]) -> bool:
    """Whether the last install was finished and had these extras, and what it rests on is still the same."""
    have, basis = read_stamp(checkout)
    return basis == basis_now(checkout) and extras <= have and os.access(venv_python(checkout), os.X_OK)


def read_stamp(checkout: str) -> tuple[set[str], str]:
    """The extras that were installed last, and what that install rested on; empty if it was not finished."""
    try:
        with open(stamp_path(checkout)) as file:
            extras, _, basis = file.read().partition("\n")
    except FileNotFoundError:
        return set(), ""
    return set(extras.split()), basis


def write_stamp(checkout: str, extras: set[str]) -> None:
    """Say that the install is finished. A reader sees the old stamp or the new one, never half of it."""
    path = stamp_path(checkout)
    with open(path + ".new", "w") as file:
        file.write(" ".join(sorted(extras)) + "\n" + basis_now(checkout))
    os.replace(path + ".new", path)


def stamp_path(checkout: str) -> str:
    return os.path.join(checkout, ".venv", "installed")


def basis_now(checkout: str) -> str:
    """What an environment can't outlive, as text: comparing it costs less than a hash would.

    The checkout's place, as a moved one leaves a `.pth` that points to where it was. The interpreter, as an
    upgraded system leaves a `python` that looks for its packages in another folder. And what to install.
    """
    with open(os.path.join(checkout, "pyproject.toml")) as file:
        return f"{checkout}\n{os.path.realpath(venv_python(checkout))}\n{file.read()}"
