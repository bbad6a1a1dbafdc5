"""What root prepares before any process starts: listening socket, folders, API keys, the note for clients."""

import base64
import hashlib
import json
import os
import secrets
import shutil
import socket
import tempfile
from pathlib import Path

from ..config.describing import effective
from ..config.sections import AuthSettings, HttpSettings, Settings, WebhookSettings
from .errors import PortTaken, SecretUnusable, StateFolderUnusable
from .roles import LINK_NOTE, ApiKey, Paths

LONGEST_RUNTIME_PATH = 90  # an ipc path ends at 107 bytes
RUNTIME_PREFIX = "runward-"
BACKLOG = 1024
LOCAL_KEY = "local"
ENVIRONMENT_KEY = "environment"
WEBHOOK_SECRET = "whsec_"  # how one begins that is written in base64
SHORTEST_SECRET = 24  # characters


def listen(http: HttpSettings) -> socket.socket:
    """Bind the port, once and for all facades. Raises `PortTaken` when the kernel says no."""
    family = socket.AF_INET6 if ":" in http.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((http.host, http.port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        why = f"cannot listen on {http.host}:{http.port}: {error.strerror}"
        raise PortTaken(f"{why}; choose another with --port (0 takes a free one)") from error
    return listening


def url(listening: socket.socket) -> str:
    """Where it listens, as a client on this machine would write it."""
    host, port = listening.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def runtime_folder(state_dir: Path) -> Paths:
    """A new 0700 folder for the sockets, in the user's runtime folder if that is there and short enough.

    The state folder remembers it, so that what a server that was killed left behind goes with the next start.
    """
    _remove_left_behind(state_dir / "runtime")
    parent = _runtime_parent()
    try:
        folder = tempfile.mkdtemp(prefix=RUNTIME_PREFIX, dir=parent)
    except OSError as error:
        raise StateFolderUnusable(
            f"no folder for sockets can be made in {parent}: {error.strerror}"
        ) from error
    _write_private(state_dir / "runtime", folder)
    return Paths(folder)


def _remove_left_behind(note: Path) -> None:
    """Only what has our name and is ours: the note might be old, and the path another's by now."""
    try:
        folder = Path(note.read_text())
        if folder.name.startswith(RUNTIME_PREFIX) and folder.lstat().st_uid == os.geteuid():
            shutil.rmtree(folder, ignore_errors=True)
    except (OSError, ValueError):
        return


def _runtime_parent() -> str:
    parent = os.environ.get("XDG_RUNTIME_DIR", "")
    if not (parent and len(parent) < LONGEST_RUNTIME_PATH - 20 and os.access(parent, os.W_OK)):
        parent = tempfile.gettempdir()
    if len(parent) > LONGEST_RUNTIME_PATH - 20:
        parent = "/tmp"  # mkdtemp makes the name unguessable and the folder 0700
    return parent


def remove_runtime_folder(paths: Paths, state_dir: Path) -> None:
    """Take the sockets away."""
    shutil.rmtree(paths.runtime, ignore_errors=True)
    (state_dir / "runtime").unlink(missing_ok=True)


def hashed(key: str) -> str:
    """A key as configuration keeps it. Keys are long and random, so one round is enough (CONTRACT 1)."""
    return "sha256:" + hashlib.sha256(key.encode()).hexdigest()


def api_keys(auth: AuthSettings, given: str | None, state_dir: Path) -> list[ApiKey]:
    """Every key that may ask, as hashes. With none configured or given, the state folder's own, made if absent."""
    if auth.mode == "none":
        return []
    keys = [ApiKey(key.name, key.role, key.hash) for key in auth.keys]
    if given is not None:
        keys.append(ApiKey(ENVIRONMENT_KEY, "operate", hashed(given)))
    if not keys:
        keys.append(ApiKey(LOCAL_KEY, "operate", hashed(_local_key(state_dir / "key"))))
    return keys


def _local_key(path: Path) -> str:
    """The key that the same user's commands find by themselves, as Jupyter does it."""
    try:
        key = path.read_text().strip()
        if key:
            return key
    except FileNotFoundError:
        pass
    key = "rw_" + secrets.token_urlsafe(32)
    _write_private(path, key + "\n")
    return key


def webhook_secrets(webhooks: WebhookSettings, state_dir: Path) -> list[bytes]:
    """What signs what is told to webhooks; none if there may be no webhook. Raises `SecretUnusable`.

    Those of the file that is configured; else the state folder's own, made if absent.
    """
    if not webhooks.allow:
        return []
    path = Path(webhooks.secret_file or state_dir / "webhook-secret")
    if not webhooks.secret_file and not path.exists():
        _write_private(path, WEBHOOK_SECRET + base64.b64encode(secrets.token_bytes(32)).decode() + "\n")
    try:
        lines = path.read_text().split()
    except (OSError, ValueError) as error:
        raise SecretUnusable(f"the secret for webhooks can't be read: {error}") from error
    found = [_webhook_secret(line, path) for line in lines]
    if not found:
        raise SecretUnusable(f"{path} (webhooks.secret_file) holds no secret")
    return found


def _webhook_secret(line: str, path: Path) -> bytes:
    """As https://www.standardwebhooks.com writes one, or any text that is long enough."""
    if len(line) < SHORTEST_SECRET:
        raise SecretUnusable(
            f"{path} (webhooks.secret_file): a secret has at least {SHORTEST_SECRET} characters"
        )
    if not line.startswith(WEBHOOK_SECRET):
        return line.encode()
    try:
        return base64.b64decode(line.removeprefix(WEBHOOK_SECRET), validate=True)
    except ValueError as error:
        raise SecretUnusable(f"{path}: what follows {WEBHOOK_SECRET!r} must be base64") from error


def note_server(state_dir: Path, address: str, restarts: int = 0, refused: str | None = None) -> None:
    """Tell the same user's commands where the server is, and what came of the last restart that was asked for."""
    note = {"url": address, "pid": os.getpid(), "restarts": restarts, "refused": refused}
    _write_private(state_dir / "server.json", json.dumps(note) + "\n")


def note_settings(state_dir: Path, settings: Settings) -> None:
    """Tell the same user's commands what the server goes by, without secrets: key → [value, who set it]."""
    note = {each.key: [each.value, each.source] for each in effective(settings)}
    _write_private(state_dir / "settings.json", json.dumps(note) + "\n")


def forget_server(state_dir: Path) -> None:
    """There is none any more."""
    for name in ("server.json", "settings.json", LINK_NOTE):
        (state_dir / name).unlink(missing_ok=True)


def console_link(state_dir: Path, address: str, token: str) -> str:
    """The console's address, with a token that logs in once from now on; see `http/auth.py`.

    The token stands behind a #, so that no browser sends it to a server, a proxy or another page.
    """
    try:
        _write_private(state_dir / LINK_NOTE, "")
    except StateFolderUnusable:
        return f"{address}/"  # one still logs in with a key
    return f"{address}/#token={token}"


def _write_private(path: Path, text: str) -> None:
    """Whole or not at all, readable by nobody else at any moment. Raises `StateFolderUnusable`."""
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent)  # 0600
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise StateFolderUnusable(f"{path} can't be written: {error.strerror}") from error
