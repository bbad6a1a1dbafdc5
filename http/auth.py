"""Who asks, and what he may do. Keys are known as hashes only; nothing here logs or echoes one.

Two ways to be somebody: `Authorization: Bearer KEY`, or the signed cookie that `POST /v1/session` gives a
browser. The cookie holds name, role and expiry, signed with the server's secret; nothing is kept here, so
every facade knows it, and it ends with its expiry, with the secret, or when its key is taken out of the
configuration, or replaced there by another of the same name.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from ..actors.roles import ApiKey
from .kept_keys import KeptKey, KeptKeys

READ, RUN, OPERATE = "read", "run", "operate"


@dataclass(frozen=True, slots=True)
class Who:
    """Somebody with a role. `ambient`: his browser proves it by itself, whichever page asks.

    `key_hash`: of his key; "" for who needs none.
    """

    name: str
    role: str
    ambient: bool = False
    key_hash: str = field(default="", repr=False)

    @property
    def may_act(self) -> bool:
        """Whether he may start and stop runs at all."""
        return self.role in (RUN, OPERATE)

    @property
    def only_owner(self) -> str | None:
        """The owner whose runs alone he sees; None if he sees all."""
        return self.name if self.role == RUN else None

    def sees(self, owner: str) -> bool:
        """Whether a run of this owner exists for him."""
        return self.only_owner in (None, owner)


# In brackets, which no configured key's name may have.
ANYONE = Who("(anyone)", OPERATE, ambient=True)
LINK = Who("(link)", OPERATE)


class Keys:
    """The configured keys, by hash, and those that were made by command, of which there may be others at any time."""

    def __init__(self, keys: Iterable[ApiKey], kept: KeptKeys | None = None) -> None:
        self._configured = tuple(keys)
        self._names = {key.name for key in self._configured}
        self._kept = kept

    @property
    def _keys(self) -> Iterator[ApiKey | KeptKey]:
        """Those of now. A name stands for one key, and what is configured counts."""
        yield from self._configured
        if self._kept is not None:
            yield from (key for key in self._kept.now() if key.name not in self._names)

    def owner_of(self, secret: str) -> Who | None:
        """Whose key this is. Takes as long for a wrong one as for a right one."""
        given = digest(secret)
        found = None
        for key in self._keys:
            if hmac.compare_digest(key.hash.encode(), given):
                found = Who(key.name, key.role, key_hash=key.hash)
        return found

    def has(self, who: Who) -> bool:
        """Whether somebody of this name and role is still configured, with the same key."""
        return any((key.name, key.role, key.hash) == (who.name, who.role, who.key_hash) for key in self._keys)

    def hashes_of(self, name: str, role: str) -> list[str]:
        """The hashes of the keys of this name and role."""
        return [key.hash for key in self._keys if (key.name, key.role) == (name, role)]


class OneTimeToken:
    """The token of the link that `serve` prints: good once, for a while after root wrote the note about it.

    Who uses it removes that note, and of several facades that try, the kernel lets one: so none needs to remember it,
    or to tell the others.
    """

    def __init__(self, token_hash: str, note: Path, life_s: float, now: Callable[[], float]) -> None:
        self._hash = token_hash.encode()
        self._note = note
        self._life_s = life_s
        self._now = now

    def redeem(self, token: str) -> Who | None:
        """Who the token makes the caller; None if it is wrong, used or too old."""
        if not self._hash or not hmac.compare_digest(self._hash, digest(token)):
            return None
        try:
            fresh = self._now() - self._note.stat().st_mtime < self._life_s
            self._note.unlink()
        except OSError:
            return None
        return LINK if fresh else None


class _Claims(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    name: str
    role: str
    expires_at: float
    key_mark: str = ""


class Sessions:
    """Makes and reads session cookies: `BASE64(claims).BASE64(HMAC-SHA256)`."""

    def __init__(self, secret: bytes, session_s: float, keys: Keys, now: Callable[[], float]) -> None:
        self._secret = secret
        self._session_s = session_s
        self._keys = keys
        self._now = now
        self._decoder = msgspec.json.Decoder(_Claims)

    def issue(self, who: Who) -> tuple[str, float]:
        """A cookie's value for `who`, and when it expires (Unix seconds)."""
        claims = _Claims(who.name, who.role, self._now() + self._session_s, self._mark(who.key_hash))
        payload = base64.urlsafe_b64encode(msgspec.json.encode(claims))
        return f"{payload.decode()}.{self._signature(payload)}", claims.expires_at

    def holder_of(self, cookie: str) -> Who | None:
        """Who holds this cookie; None if it is not ours, over, or its key is no longer configured."""
        payload, _, signature = cookie.partition(".")
        if not hmac.compare_digest(self._signature(_bytes(payload)).encode(), _bytes(signature)):
            return None
        claims = self._decoder.decode(base64.urlsafe_b64decode(payload))
        who = Who(claims.name, claims.role, ambient=True)
        if claims.expires_at <= self._now():
            return None
        if who.name == LINK.name:
            return who
        # A key that was replaced takes its sessions along: whoever it leaked to may have begun them.
        hashes = self._keys.hashes_of(who.name, who.role)
        own = [key_hash for key_hash in hashes if hmac.compare_digest(claims.key_mark, self._mark(key_hash))]
        return replace(who, key_hash=own[0]) if own else None

    def _mark(self, key_hash: str) -> str:
        """What stands for a key in a cookie, from which its hash can't be guessed."""
        return hmac.digest(self._secret, b"runward key\0" + key_hash.encode(), "sha256").hex()[:32]

    def _signature(self, payload: bytes) -> str:
        mac = hmac.digest(self._secret, b"runward session\0" + payload, "sha256")
        return base64.urlsafe_b64encode(mac).decode().rstrip("=")


def digest(secret: str) -> bytes:
    """A key's hash as the configuration writes it. Any text has one."""
    return b"sha256:" + hashlib.sha256(_bytes(secret)).hexdigest().encode()


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")  # aiohttp decodes headers that way
