"""API keys that were made by command: a file in the state folder that holds their hashes, never a key.

Whoever may write there may make keys: the server's own user. Facades look at the file whenever somebody asks them, so
what is made or revoked counts from the next request on. Writers take turns, and replace the file as a whole.
"""

import fcntl
import hashlib
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from ..actors.errors import RunwardError
from ..config.kinds import KeyHash, KeyName, Role

NAME = "keys.json"
LOCK = "keys.lock"
BEGINNING = "rw_"


#: Names that were made, and names that were revoked.
Changed = Callable[[list[str], list[str]], None]


class KeptKey(msgspec.Struct, frozen=True, kw_only=True):
    """One key: whose it is, what he may do, the hash that it must have, when it was made (Unix seconds)."""

    name: KeyName
    role: Role
    hash: KeyHash
    created_at: float


class _File(msgspec.Struct, frozen=True):
    keys: tuple[KeptKey, ...] = ()


class KeysUnusable(RunwardError):
    """The file of keys can't be read or written; the message says why."""


class KeyTaken(RunwardError):
    """There is a key of that name."""


class KeyUnknown(RunwardError):
    """There is no key of that name."""


class KeptKeys:
    """The keys of one state folder, for a facade that is asked often.

    `changed` is told which names were made and which revoked, once that is seen.
    """

    def __init__(self, state_dir: str, changed: Changed | None = None) -> None:
        self._changed = changed
        self._path = os.path.join(state_dir, NAME)
        self._known: tuple[int, int, int] | None = None
        self._keys: tuple[KeptKey, ...] = ()
        self._told: frozenset[KeptKey] | None = None

    def now(self) -> tuple[KeptKey, ...]:
        """Those of now. Costs one stat(2) while nothing changes. None, where the file can't be read: better nobody
        is let in than somebody whose key was revoked.
        """
        try:
            found = os.stat(self._path)
            seen = found.st_ino, found.st_mtime_ns, found.st_size
            if seen != self._known:
                self._keys, self._known = read(Path(self._path)), seen
                self._tell()
        except FileNotFoundError:
            self._keys, self._known = (), None
            self._tell()
        except (OSError, KeysUnusable):
            self._keys, self._known = (), None
        return self._keys

    def _tell(self) -> None:
        before, self._told = self._told, frozenset(self._keys)
        if self._changed is not None and before is not None and before != self._told:
            made = sorted(key.name for key in self._told - before)
            self._changed(made, sorted(key.name for key in before - self._told))


def read(path: Path) -> tuple[KeptKey, ...]:
    """The keys in this file; none, where there is no file. Raises `KeysUnusable`."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=_File).keys
    except FileNotFoundError:
        return ()
    except (OSError, ValueError) as error:  # msgspec's are ValueErrors
        raise KeysUnusable(f"{path} can't be read: {error}") from error


def create(state_dir: Path, name: str, role: Role, now: float) -> tuple[str, KeptKey]:
    """Make a key: the key itself, which is kept nowhere, and what is kept of it.

    Raises `KeyTaken`, `KeysUnusable`. Blocks while another process writes.
    """
    key = BEGINNING + secrets.token_urlsafe(32)
    made = KeptKey(name=name, role=role, hash=_hashed(key), created_at=now)

    def add(keys: Sequence[KeptKey]) -> list[KeptKey]:
        if any(each.name == name for each in keys):
            raise KeyTaken(f"there is a key {name!r}; revoke it, or take another name")
        return [*keys, made]

    _change(state_dir, add)
    return key, made


def revoke(state_dir: Path, name: str) -> None:
    """Let nobody in by the key of this name any more. Raises `KeyUnknown`, `KeysUnusable`."""

    def remove(keys: Sequence[KeptKey]) -> list[KeptKey]:
        left = [each for each in keys if each.name != name]
        if len(left) == len(keys):
            raise KeyUnknown(f"there is no key {name!r} that was made by command")
        return left

    _change(state_dir, remove)


def _change(state_dir: Path, change: Callable[[Sequence[KeptKey]], list[KeptKey]]) -> None:
    path = state_dir / NAME
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(state_dir / LOCK):
            _replace(path, msgspec.json.format(msgspec.json.encode(_File(tuple(change(read(path)))))) + b"\n")
    except OSError as error:
        raise KeysUnusable(f"{path} can't be written: {error.strerror}") from error


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(path: Path, text: bytes) -> None:
    """Whole or not at all, and readable by nobody else at any moment."""
    descriptor, name = tempfile.mkstemp(dir=path.parent)  # 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())  # a revoked key must not come back with the power
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _hashed(key: str) -> str:
    return "sha256:" + hashlib.sha256(key.encode()).hexdigest()
