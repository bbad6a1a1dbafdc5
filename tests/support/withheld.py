"""Becomes a program from which something is withheld: `python withheld.py [CALL=ERRNO …] -- PROGRAM ARGUMENT …`.

As a container does it: by a filter of calls, which all that the program starts has, too (see `denying.py`); and for
`cgroups=ERRNO`, whatever the number, by mounting them read-only, which only root can.
"""

import ctypes
import importlib
import os
import sys

_CLONE_NEWNS = 0x20000
_MS_RDONLY, _MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 0x1, 0x20, 0x1000, 0x4000, 0x40000
_libc = ctypes.CDLL(None, use_errno=True)


def read_only_cgroups() -> None:
    """For this process and what it starts."""
    _check(_libc.unshare(_CLONE_NEWNS))
    _check(_libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None))
    with open("/proc/self/mountinfo") as mounts:
        lines = [line.partition(" - ") for line in mounts]
    for fields, _, rest in lines:
        if rest.startswith("cgroup"):
            mount = fields.split(" ")[4].encode()
            _check(_libc.mount(None, mount, None, _MS_REMOUNT | _MS_BIND | _MS_RDONLY, None))


def _check(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def main(arguments: list[str]) -> None:
    """Never returns."""
    sys.path.append(os.path.dirname(__file__))
    deny = importlib.import_module("denying").deny  # beside this file, which no package is

    here = arguments.index("--")
    calls = {name: int(number) for name, number in (each.split("=") for each in arguments[:here])}
    if calls.pop("cgroups", None) is not None:
        read_only_cgroups()
    deny(calls)
    program = arguments[here + 1 :]
    os.execv(program[0], program)


if __name__ == "__main__":
    main(sys.argv[1:])
