"""Finds the server that a client command talks to, and the key for it.

A server leaves two files in its state folder, readable by its own user only: `server.json` with its URL and
pid, and `key`. That is how commands of the same user find it without being told anything.
"""

import json
import os
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..http.api_client import ApiClient
from .outcome import CommandError, ExitCode

DEFAULT_URL = "http://127.0.0.1:8642"


def connect(url: str | None, state: Path | None) -> ApiClient:
    """A client of the server at this URL, else of the one with this state folder, else of this user's own.

    Nothing is sent yet. Raises CommandError (usage) for what can't be a URL or a key.
    """
    key = os.environ.pop("RUNWARD_API_KEY", "").strip() or None
    folder = state or state_folder()
    found = url or _noted_url(folder) or DEFAULT_URL
    # The local key is for the local server: it is not for whoever `--url` may name.
    if key is None and _is_loopback(found):
        key = _read(folder / "key")
    try:
        return ApiClient(found, key)
    except ValueError as error:
        raise CommandError(str(error), ExitCode.USAGE, "usage") from error


def state_folder() -> Path:
    """The state folder that `runward serve` would use if it were started here and now.

    With a configuration that is refused, the usual one: a slip in a file must not keep a run alive.
    """
    from ..config.errors import ConfigError
    from ..config.settings import load
    from ..config.sources import state_home

    try:
        return Path(load().state.dir)
    except ConfigError:
        return state_home(os.environ) / "runward"


def _noted_url(folder: Path) -> str | None:
    try:
        noted: Any = json.loads(_read(folder / "server.json") or "null")
    except ValueError:
        return None
    url = noted.get("url") if isinstance(noted, dict) else None
    return url if isinstance(url, str) else None


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def _is_loopback(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
