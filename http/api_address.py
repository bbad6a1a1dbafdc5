"""Where a server is and what a request to it carries; and how a client finds both without being told.

A server leaves two files in its state folder, readable by its own user only: `server.json` with its URL and
pid, and `key`. That is how clients of the same user find it.
"""

import json
import os
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

DEFAULT_URL = "http://127.0.0.1:8642"


class Address:
    """A server and the key for it. Raises ValueError for a URL or a key that can't be one. Shows no key."""

    def __init__(self, url: str, key: str | None) -> None:
        self.url = url.rstrip("/")
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(f"{url!r} is not the URL of a server, such as {DEFAULT_URL}")
        if parts.username is not None:
            raise ValueError("the URL must not hold a user or a password; give the key as RUNWARD_API_KEY")
        self.host = parts.hostname
        self.port = parts.port  # raises ValueError where it is none
        self.path = parts.path
        self.secure = parts.scheme == "https"
        self.headers = {"Accept": "application/json"} | _authorization(key)

    def __repr__(self) -> str:
        return self.url


def find(
    url: str | None, key: str | None, state: Path | None, environ: Mapping[str, str] = os.environ
) -> Address:
    """The server at this URL, else that of RUNWARD_URL, of this state folder, of this user; with the key for it.

    The key: the given one, else RUNWARD_API_KEY, else the state folder's, which only a server on this machine
    is sent. Sends nothing. Raises ValueError for what can't be a URL or a key.
    """
    folder = state
    if url is None and state is None:
        url = environ.get("RUNWARD_URL") or None
    if url is None:
        folder = folder or state_folder()
        url = _noted_url(folder) or DEFAULT_URL
    if key is None:
        key = environ.get("RUNWARD_API_KEY", "").strip() or None
    if key is None and _is_loopback(url):
        key = _read((folder or state_folder()) / "key")
    return Address(url, key)


def state_folder() -> Path:
    """The state folder that `runward serve` would use if it were started here and now."""
    from ..config.where import state_dir

    return state_dir(os.environ)


def _authorization(key: str | None) -> dict[str, str]:
    if key is None:
        return {}
    if not (key and key.isascii() and key.isprintable() and " " not in key):
        raise ValueError("the API key holds characters that no key can hold")
    return {"Authorization": f"Bearer {key}"}


def noted_pid(folder: Path) -> int | None:
    """The root of the server that last began there, and may have been killed since; None if it ended."""
    pid = _note(folder).get("pid")
    return pid if isinstance(pid, int) and pid > 0 else None


def noted_restarts(folder: Path) -> tuple[int, str | None]:
    """How many restarts were asked of the server there, and why the last one was refused, if it was."""
    note = _note(folder)
    restarts, refused = note.get("restarts"), note.get("refused")
    return restarts if isinstance(restarts, int) else 0, refused if isinstance(refused, str) else None


def noted_settings(folder: Path) -> dict[str, tuple[Any, str]]:
    """What the server there goes by, without secrets: key → value and who set it. Empty: none runs there."""
    try:
        noted: Any = json.loads(_read(folder / "settings.json") or "{}")
        return {key: (value, source) for key, (value, source) in noted.items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def _noted_url(folder: Path) -> str | None:
    url = _note(folder).get("url")
    return url if isinstance(url, str) else None


def _note(folder: Path) -> dict[str, Any]:
    try:
        noted: Any = json.loads(_read(folder / "server.json") or "null")
    except ValueError:
        return {}
    return noted if isinstance(noted, dict) else {}


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
