"""Finds the server that a client command talks to, and the key for it; see `http/api_address.py`."""

import os
from pathlib import Path

from ..http.api_client import Client
from .outcome import CommandError, ExitCode


def connect(url: str | None, state: Path | None, timeout_s: float = 30.0) -> Client:
    """A client of the server at this URL, else of the one with this state folder, else of this user's own.

    Nothing is sent yet. Raises CommandError (usage) for what can't be a URL or a key.
    """
    key = os.environ.pop("RUNWARD_API_KEY", "").strip() or None
    try:
        return Client(url, key, state=state, timeout_s=timeout_s)
    except ValueError as error:
        raise CommandError(str(error), ExitCode.USAGE, "usage") from error
