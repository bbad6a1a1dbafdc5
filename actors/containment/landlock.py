"""The same sight of the file system a second time, as landlock(7) rules, and what landlock alone can hold.

Where a run has a root of its own this holds what slipped past it, such as a descriptor from outside. Where it has
none this is what hides the host from it. Rules are made for each run, since a run's own folders are new each time.
Rights that this kernel's landlock does not know are not asked of it (its ABI tells).
"""

import os
import struct
from collections.abc import Iterable, Iterator

from . import linux
from .visible import Visible, below_any, is_below

# linux/landlock.h
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 1 << 1, 1 << 2, 1 << 3
_MAKE_CHAR, _MAKE_BLOCK = 1 << 6, 1 << 11
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_FS_BITS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # ABI → how many there are
_NET_ABI, _BIND_AND_CONNECT_TCP = 4, 0b11
_SCOPE_ABI, _ABSTRACT_SOCKETS_AND_SIGNALS = 6, 0b11
_RULE = struct.Struct("=Qi")  # struct landlock_path_beneath_attr

READ = _EXECUTE | _READ_FILE | _READ_DIR
_DEVICE = _READ_FILE | _WRITE_FILE | _READ_DIR | _IOCTL_DEV
_LOOK = _READ_FILE | _READ_DIR
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV  # what a rule on a file may hold
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")

#: Of /etc, for who is root and could read all of it: what programs ask for, and no secret.
ETC = tuple(
    f"/etc/{name}"
    for name in (
        *("passwd", "group", "nsswitch.conf", "resolv.conf", "hosts", "host.conf", "gai.conf", "hostname"),
        *("services", "protocols", "networks", "localtime", "timezone", "os-release", "debian_version"),
        *("lsb-release", "machine-id", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "ld.so.preload"),
        *("ssl/certs", "ssl/openssl.cnf", "ssl/cert.pem", "pki/tls/certs", "pki/tls/cert.pem"),
        *("pki/tls/openssl.cnf", "pki/ca-trust/extracted", "ca-certificates", "ca-certificates.conf"),
        *(
            "crypto-policies",
            "alternatives",
            "mime.types",
            "magic",
            "fonts",
            "terminfo",
            "inputrc",
            "locale.conf",
        ),
        *(
            "locale.alias",
            "profile",
            "profile.d",
            "bash.bashrc",
            "bashrc",
            "shells",
            "login.defs",
            "environment",
        ),
        *("static", "java", "maven", "node", "npmrc", "gitconfig", "perl", "python3", "python3.11", "vim"),
        *("OpenCL", "vulkan", "ImageMagick-6", "ImageMagick-7", "libreoffice", "matplotlibrc", "papersize"),
    )
)


class Landlock:
    """Ready to be applied any number of times. Made by the zygote."""

    def __init__(
        self, abi: int, seen: Visible, own_root: bool, own_network: bool, whoever: bool = False
    ) -> None:
        """`own_root`: the run's root holds nothing else. `own_network`: TCP leads nowhere anyhow, or may lead out.

        `whoever`: the run's user owns nothing of the system's, so that modes hold what is private there.
        """
        self._fs = (1 << _FS_BITS.get(abi, _FS_BITS[5])) - 1
        self._all = self._fs & ~(_MAKE_CHAR | _MAKE_BLOCK)
        tcp = _BIND_AND_CONNECT_TCP if abi >= _NET_ABI and not own_network else 0
        scope = _ABSTRACT_SOCKETS_AND_SIGNALS if abi >= _SCOPE_ABI else 0
        fields = 1 + (abi >= _NET_ABI) + (abi >= _SCOPE_ABI)
        self._attributes = struct.pack("=3Q", self._fs, tcp, scope)[: 8 * fields]
        self._seen = seen
        self._own_root = own_root
        self._whoever = whoever
        self._rules = [self._rule(path, rights) for path, rights in self._fixed()]

    def apply(self, own: Iterable[str]) -> None:
        """For this process and all that it will start; it may write to what is below `own`. Needs `no_new_privs`."""
        ruleset = linux.landlock_ruleset(self._attributes)
        try:
            for path, rights in self._rules:
                _allow(ruleset, path, rights)
            for folder in own:
                _allow(ruleset, folder.encode(), self._all)
            for beside, rights in self._around_hidden():
                _allow(ruleset, *self._rule(beside, rights))
            linux.landlock_restrict(ruleset)
        finally:
            os.close(ruleset)

    def _fixed(self) -> Iterator[tuple[str, int]]:
        """What is the same for every run."""
        yield "/proc", _LOOK
        if self._own_root:
            yield "/", _READ_DIR
            yield "/dev", _DEVICE
        else:
            yield from ((path, _DEVICE) for path in _DEVICES)
        for path, rights in self._shown():
            if self._own_root or not self._holds_hidden(path):
                yield path, rights

    def _shown(self) -> Iterator[tuple[str, int]]:
        for path in self._seen.readable:
            if path == "/etc" and not self._whoever:
                yield from ((os.path.realpath(file), READ) for file in ETC if os.path.exists(file))
            else:
                yield path, READ
        for path in self._seen.writable:
            yield path, self._all

    def _holds_hidden(self, path: str) -> bool:
        return any(is_below(hidden, path) for hidden in self._seen.hidden)

    def _around_hidden(self) -> Iterator[tuple[str, int]]:
        """A rule holds for all below a folder. Where nothing is mounted over what is hidden, its siblings are named,
        as they are now."""
        if not self._own_root:
            for path, rights in self._shown():
                if self._holds_hidden(path):
                    yield from self._beside_hidden(path, rights)

    def _beside_hidden(self, folder: str, rights: int) -> Iterator[tuple[str, int]]:
        with os.scandir(folder) as entries:
            for entry in entries:
                if below_any(entry.path, self._seen.hidden):
                    continue
                if self._holds_hidden(entry.path):
                    yield from self._beside_hidden(entry.path, rights)
                elif not entry.is_symlink():
                    yield entry.path, rights

    def _rule(self, path: str, rights: int) -> tuple[bytes, int]:
        known = rights & self._fs
        return path.encode(), known if os.path.isdir(path) else known & _OF_FILES


def _allow(ruleset: int, path: bytes, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError):
        return  # it is gone since, or no run could reach it: nothing to allow
    try:
        linux.landlock_allow(ruleset, _RULE.pack(rights, descriptor))
    finally:
        os.close(descriptor)
