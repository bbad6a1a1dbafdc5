"""Remembers in `.venv/installed` that an install was finished, with which extras, and what it rests on."""

from __future__ import annotations

import contextlib
import os


def venv(checkout: str) -> str:
    return os.path.join(checkout, ".venv")


def venv_python(checkout: str) -> str:
    return os.path.join(venv(checkout), "bin", "python")


def is_current(checkout: str, extras: set[str]) -> bool:
    """Whether the last install was finished and had these extras, and what it rests on is still the same."""
    have, basis = read(checkout)
    return basis == basis_now(checkout) and extras <= have and os.access(venv_python(checkout), os.X_OK)


def read(checkout: str) -> tuple[set[str], str]:
    """The extras that were installed last, and what that install rested on; empty if it was not finished."""
    try:
        with open(path(checkout)) as file:
            extras, _, basis = file.read().partition("\n")
    except FileNotFoundError:
        return set(), ""
    return set(extras.split()), basis


def write(checkout: str, extras: set[str]) -> None:
    """Say that the install is finished. A reader sees the old stamp or the new one, never half of it."""
    new = path(checkout) + ".new"
    with open(new, "w") as file:
        file.write(" ".join(sorted(extras)) + "\n" + basis_now(checkout))
    os.replace(new, path(checkout))


def remove(checkout: str) -> None:
    """Say that what is installed can't be relied on, until `write` says otherwise."""
    with contextlib.suppress(FileNotFoundError):
        os.remove(path(checkout))


def path(checkout: str) -> str:
    return os.path.join(venv(checkout), "installed")


def basis_now(checkout: str) -> str:
    """What an environment can't outlive, as text: comparing it costs less than a hash would.

    The checkout's place, as a moved one leaves a `.pth` that points to where it was. The interpreter, as an
    upgraded system leaves a `python` that looks for its packages in another folder. And what to install.
    """
    with open(os.path.join(checkout, "pyproject.toml")) as file:
        return f"{checkout}\n{os.path.realpath(venv_python(checkout))}\n{file.read()}"
