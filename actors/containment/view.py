"""The file system as a run sees it: a root of its own, made of what `visible` names and of nothing else.

A small tmpfs holds all that a run writes (its work folder, /tmp, /dev/shm) and the empty folders that the rest is
mounted on; it goes with the run's last process. Everything else is mounted read-only, and no file there lends its
owner's rights. Planned by the zygote; made by the agent's process, in a mount namespace that only it is in, with a
few system calls a path (mount_namespaces(7)).
"""

import contextlib
import os

from . import linux
from .linux import MS_BIND, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_PRIVATE, MS_RDONLY, MS_REC
from .visible import Visible, below_any, is_below

#: Where a run finds itself: its current folder, HOME, and `run.work_folder`. In /tmp, which is private anyhow.
WORK_FOLDER = "/tmp/runward"
TEMPORARY = "/tmp"
PRIVATE = (TEMPORARY, "/dev/shm")  # a run's own, and writable
_OURS = (*PRIVATE, "/proc", "/dev")  # what is declared above or at these does not replace them
_DEVICES = tuple(f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom"))
_LINKS = {
    "/dev/fd": "/proc/self/fd",
    "/dev/stdin": "/proc/self/fd/0",
    "/dev/stdout": "/proc/self/fd/1",
    "/dev/stderr": "/proc/self/fd/2",
    "/dev/ptmx": "pts/ptmx",
    "/var/tmp": TEMPORARY,
}
_NOTHING, _EMPTY_FILE = b"root/proc", b"root/dev/null"  # what is mounted over what is hidden
_PLAIN = MS_NOSUID | MS_NODEV
_BYTES_AN_INODE = 4096
_FEWEST_INODES = 4096


class View:
    """Ready to be made any number of times. Made by the zygote."""

    def __init__(self, seen: Visible, stage: str, alone: bool) -> None:
        """`stage`: a folder that no run needs to see, to build on. `alone`: there is a pid namespace."""
        self._stage = stage.encode()
        self._proc = b"" if alone else b"hidepid=2"
        readable = [path for path in seen.readable if path not in _OURS]
        devices = [path for path in _DEVICES if os.path.exists(path)]
        inside = [path for path in readable if below_any(path, PRIVATE)]
        outside = [path for path in readable if path not in inside]
        writable = [path for path in seen.writable if path not in _OURS]
        self._folders, self._files = _mountpoints([*outside, *devices, *inside, *writable], seen.links)
        self._symlinks = [(text.encode(), _at(path)) for path, text in (*_links(seen), *seen.links)]
        self._outside = [(path.encode(), _at(path)) for path in (*outside, *devices)]
        self._inside = [(path.encode(), _at(path)) for path in inside]
        self._writable = [(path.encode(), _at(path)) for path in writable]
        self._hidden = [(_NOTHING if os.path.isdir(path) else _EMPTY_FILE, _at(path)) for path in seen.hidden]

    def make(self, size_bytes: int, work: bytes = b"", uid: int = 0) -> None:
        """Have it for root, and be in the work folder. In a new mount namespace, by who may mount there.

        `size_bytes`: as much as the run may write in memory. `work`: a folder of the host's to be its work folder.
        `uid`: whose that is to be; 0: the caller's. Raises OSError, with the path.
        """
        linux.mount(None, b"/", None, MS_REC | MS_PRIVATE)
        inodes = size_bytes // _BYTES_AN_INODE + _FEWEST_INODES
        linux.mount(
            b"runward", self._stage, b"tmpfs", _PLAIN, b"size=%d,nr_inodes=%d,mode=755" % (size_bytes, inodes)
        )
        os.chdir(self._stage)
        mask = os.umask(0o022)
        self._lay_out()
        os.umask(mask)
        for source, target in self._outside:
            linux.mount(source, target, None, MS_BIND | MS_REC)
        linux.restrict_mounts(b"root", MS_RDONLY | MS_NOSUID)
        self._show_more()
        if work:
            linux.mount(work, _at(WORK_FOLDER), None, MS_BIND)
            linux.restrict_mounts(_at(WORK_FOLDER), _PLAIN)
        if uid:
            os.chown(_at(WORK_FOLDER), uid, uid)
        linux.mount(b"tmp", b"root/tmp", None, MS_BIND | MS_REC)
        linux.mount(b"shm", b"root/dev/shm", None, MS_BIND | MS_REC)
        linux.mount(b"proc", b"root/proc", b"proc", MS_RDONLY | _PLAIN | MS_NOEXEC, self._proc)
        with contextlib.suppress(OSError):  # only programs that make terminals miss it
            linux.mount(
                b"devpts", b"root/dev/pts", b"devpts", MS_NOSUID | MS_NOEXEC, b"newinstance,ptmxmode=666"
            )
        os.chdir(b"root")
        linux.change_root(b".")
        os.chdir(WORK_FOLDER)

    def _lay_out(self) -> None:
        """Empty folders and files to mount on, and the links. What a run writes to is beside its root."""
        for folder in self._folders:
            os.mkdir(folder)
        for file in self._files:
            os.mknod(file)
        for text, path in self._symlinks:
            os.symlink(text, path)
        os.chmod(b"tmp", 0o1777)
        os.chmod(b"shm", 0o1777)
        linux.mount(b"root", b"root", None, MS_BIND)

    def _show_more(self) -> None:
        """What lies in the run's own folders, what it may write to, and then what is to be seen of neither."""
        for source, target in self._inside:
            linux.mount(source, target, None, MS_BIND | MS_REC)
            linux.restrict_mounts(target, MS_RDONLY | MS_NOSUID)
        for source, target in self._writable:
            linux.mount(source, target, None, MS_BIND | MS_REC)
            linux.restrict_mounts(target, MS_NOSUID)
        for source, target in self._hidden:
            linux.mount(source, target, None, MS_BIND)


def _at(path: str) -> bytes:
    """Where a path is while the view is being made, from the stage."""
    for folder, place in ((TEMPORARY, "tmp"), ("/dev/shm", "shm")):
        if is_below(path, folder):
            return f"{place}{path[len(folder) :]}".encode()
    return f"root{path}".encode()


def _links(seen: Visible) -> list[tuple[str, str]]:
    """Ours, but where something is to be seen that lies behind one."""
    shown = (*seen.readable, *seen.writable)
    return [link for link in _LINKS.items() if not any(is_below(path, link[0]) for path in shown)]


def _mountpoints(paths: list[str], links: tuple[tuple[str, str], ...]) -> tuple[list[bytes], list[bytes]]:
    """The folders to make, parents first, and the files; what is below a path that is mounted is there already."""
    folders = dict.fromkeys((b"root", b"root/tmp", b"root/dev", b"root/dev/shm", b"tmp", b"shm"))
    files: list[bytes] = []
    for path in (WORK_FOLDER, "/proc", "/dev/pts", "/run", "/var"):
        _add_folders(folders, path)
    for path in paths:
        if any(path != other and is_below(path, other) for other in paths):
            continue
        _add_folders(folders, os.path.dirname(path))
        if os.path.isdir(path):
            _add_folders(folders, path)
        else:
            files.append(_at(path))
    for link, _ in links:
        _add_folders(folders, os.path.dirname(link))
    return list(folders), files


def _add_folders(folders: dict[bytes, None], path: str) -> None:
    way = ""
    for name in path.split("/"):
        if name:
            way += f"/{name}"
            folders.setdefault(_at(way))
