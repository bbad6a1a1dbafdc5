"""Becomes a program that an ordinary user runs: `python ordinary.py UID PATH … -- PROGRAM ARGUMENT …`, as root.

Python, the checkout and pytest's folders may be below a folder that only root may enter, such as /root. In a mount
namespace of its own such a folder is replaced by one that holds nothing but the PATHs, which anybody may enter.
"""

import ctypes
import os
import sys

_CLONE_NEWNS = 0x20000
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000
_libc = ctypes.CDLL(None, use_errno=True)


def _mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    if _libc.mount(source.encode(), target.encode(), kind.encode(), flags, data.encode()) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), target)


def _closed_folder_above(path: str) -> str | None:
    """The uppermost folder on the way that not everybody may enter."""
    way = ""
    for name in path.strip("/").split("/"):
        way += f"/{name}"
        if not os.stat(way).st_mode & 1:
            return way
    return None


def _open_the_way(paths: list[str]) -> None:
    closed = {path: folder for path in paths if (folder := _closed_folder_above(path)) not in (None, path)}
    kept = {path: os.open(path, os.O_PATH) for path in closed}
    for folder in sorted({each for each in closed.values() if each}):
        _mount("none", folder, "tmpfs", 0, "mode=755")
    for path, descriptor in kept.items():
        os.makedirs(path, exist_ok=True)
        _mount(f"/proc/self/fd/{descriptor}", path, "none", _MS_BIND | _MS_REC)
        os.close(descriptor)


def main(arguments: list[str]) -> None:
    """Never returns."""
    here = arguments.index("--")
    uid, paths, program = int(arguments[0]), arguments[1:here], arguments[here + 1 :]
    if _libc.unshare(_CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "unshare")
    _mount("none", "/", "none", _MS_REC | _MS_PRIVATE)
    _open_the_way([os.path.realpath(path) for path in paths])
    os.chdir(os.getcwd())  # through what was mounted over it
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    os.execv(program[0], program)


if __name__ == "__main__":
    main(sys.argv[1:])
