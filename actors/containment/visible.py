"""What an agent's processes may see of the file system, as paths: looks at the machine, changes nothing.

Made once by the zygote, for all runs of its agent. `view` mounts it and `landlock` allows it; what neither names is
not there for a run, whatever its mode.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ...config.sections import AgentSpec

#: What programs of this machine are made of. What is not there is not missed.
SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc"),
    *("/nix/store", "/gnu/store"),
    "/sys/devices/system",  # how many processors there are, and how they share caches
)
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_MOST_LINKS = 40  # as the kernel follows


@dataclass(frozen=True, slots=True)
class Visible:
    """Real paths, none below another of its kind. `hidden` are below one of them, and out of sight all the same.

    `links` are the symbolic links, path and text, by which the paths are also reached. `absent` were declared, and
    are not there or may not be shown.
    """

    readable: tuple[str, ...]
    writable: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    absent: tuple[str, ...] = ()


def visible(spec: AgentSpec, hidden: Iterable[str]) -> Visible:
    """For an agent. `hidden`: what belongs to the server and no agent may see, wherever it lies."""
    secret = sorted({os.path.realpath(path) for path in hidden if path and os.path.exists(path)})
    sight = _Sight(secret)
    for path in (*SYSTEM, *_python(), *_certificates(), *_network(spec), *_own(spec)):
        sight.see(sight.readable, path)
    for path in spec.paths.readable:
        sight.declare(sight.readable, path)
    for path in spec.paths.writable:
        sight.declare(sight.writable, path)
    return sight.seen()


class _Sight:
    """Gathers paths."""

    def __init__(self, secret: list[str]) -> None:
        self._secret = secret
        self.readable: set[str] = set()
        self.writable: set[str] = set()
        self._links: dict[str, str] = {}
        self._absent: list[str] = []

    def declare(self, into: set[str], path: str) -> None:
        """Of the operator's, who should know when there is nothing. `/` is all that lies in it."""
        if path == "/":
            for name in os.listdir("/"):
                if name not in ("proc", "sys", "dev", "tmp"):
                    self.see(into, f"/{name}")
        elif not self.see(into, path):
            self._absent.append(path)

    def see(self, into: set[str], path: str) -> bool:
        """Whether it is there and may be seen."""
        real, links = resolved(path)
        if not os.path.exists(real) or any(is_below(real, secret) for secret in self._secret):
            return False
        into.add(real)
        self._links |= links
        return True

    def seen(self) -> Visible:
        writable = uppermost(self.writable)
        readable = uppermost(path for path in self.readable if not below_any(path, writable))
        shown = (*readable, *writable)
        return Visible(
            readable,
            writable,
            hidden=tuple(path for path in self._secret if below_any(path, shown)),
            links=tuple(link for link in sorted(self._links.items()) if not below_any(link[0], shown)),
            absent=tuple(self._absent),
        )


def resolved(path: str) -> tuple[str, dict[str, str]]:
    """The real path, and every symbolic link on the way to it (path_resolution(7)). The path may lead nowhere."""
    links: dict[str, str] = {}
    way, rest, followed = "/", _names(path), 0
    while rest:
        step = os.path.normpath(os.path.join(way, rest.pop(0)))
        if followed < _MOST_LINKS and os.path.islink(step):
            followed += 1
            links[step] = os.readlink(step)
            way, rest = "/", [*_names(os.path.join(os.path.dirname(step), links[step])), *rest]
        else:
            way = step
    return way, links


def _names(path: str) -> list[str]:
    return [name for name in path.split("/") if name]


def is_below(path: str, folder: str) -> bool:
    """Whether the path is the folder or in it."""
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")


def below_any(path: str, folders: Iterable[str]) -> bool:
    """Whether it is one of these or in one."""
    return any(is_below(path, folder) for folder in folders)


def uppermost(paths: Iterable[str]) -> tuple[str, ...]:
    """Those that are in none of the others."""
    found: list[str] = []
    for path in sorted(set(paths)):
        if not below_any(path, found):
            found.append(path)
    return tuple(found)


def _python() -> Iterator[str]:
    """The interpreter wherever it really is, all that it imports from, and this package, also of a checkout."""
    yield from (sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix, sys.executable)
    yield from (path for path in sys.path if path)
    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    yield package
    yield from (f"{package}/{name}" for name in os.listdir(package))  # a checkout's are links


def needed(spec: AgentSpec) -> Iterator[tuple[str, int]]:
    """What a run of this agent must be able to read, or write, whoever its user is: path and modes of `os.access`."""
    yield os.path.realpath(sys.executable), os.R_OK | os.X_OK
    yield from ((path, _reading(path)) for path in (*sys.path, __file__) if path and os.path.exists(path))
    for path in (*_own(spec), *spec.paths.readable):
        if os.path.exists(path):
            yield path, _reading(path)
    for path in spec.paths.writable:
        if os.path.exists(path):
            yield path, _reading(path) | os.W_OK


def way_to(folder: str) -> tuple[str, int]:
    """What everybody must get through who is to have something below this folder, which the server can open: as
    one of `needed`."""
    above = os.path.dirname(os.path.abspath(folder))
    while not os.path.exists(above):
        above = os.path.dirname(above)
    return above, os.X_OK


def _reading(path: str) -> int:
    return os.R_OK | os.X_OK if os.path.isdir(path) else os.R_OK


def _certificates() -> Iterator[str]:
    yield from (os.environ[name] for name in _CERTIFICATES if os.environ.get(name))


def _network(spec: AgentSpec) -> Iterator[str]:
    """What /etc/resolv.conf leads to: often a file in /run."""
    if spec.network == "host":
        yield "/etc/resolv.conf"


def _own(spec: AgentSpec) -> Iterator[str]:
    """What the agent's declaration names: where it is imported from, or its program and that one's files."""
    file = spec.entrypoint.rpartition(":")[0]
    if file.endswith(".py"):
        yield os.path.dirname(file)
    if spec.import_root:
        yield spec.import_root
    if spec.command:
        from shutil import which  # with four libraries, which each fork of another agent's zygote would map

        yield which(spec.command[0]) or spec.command[0]
        yield from (argument for argument in spec.command[1:] if os.path.isabs(argument))
