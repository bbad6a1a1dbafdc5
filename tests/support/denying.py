"""Calls of the kernel withheld by a seccomp filter, as container runtimes do it (seccomp(2)).

A filter is for ever, and for all that the process starts: install it in a child.
"""

import ctypes
import os
import platform
import struct
from collections.abc import Mapping

ARGUMENT_0 = 16  # of struct seccomp_data: where the low half of the first argument is
PRCTL_SECCOMP = 22

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_NUMBERS = {
    "clone": (56, 220),
    "clone3": (435, 435),
    "landlock_create_ruleset": (444, 444),
    "mkdir": (83, None),
    "mkdirat": (258, 34),
    "prctl": (157, 167),
    "unshare": (272, 97),
}
_LOAD, _IF_EQUAL, _ANSWER = 0x20, 0x15, 0x06
_REFUSE, _ALLOW = 0x00050000, 0x7FFF0000


def deny(calls: Mapping[str, int], offset: int | None = None, value: int = 0) -> None:
    """From now on these calls answer with these errnos; with `offset`, only where that word is `value`."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0  # no new privileges: else only root may
    code = ctypes.create_string_buffer(_program(calls, offset, value))
    program = struct.pack("HxxxxxxQ", (len(code) - 1) // 8, ctypes.addressof(code))
    result = libc.prctl(PRCTL_SECCOMP, 2, program, 0, 0)
    assert result == 0, os.strerror(ctypes.get_errno())


def _program(calls: Mapping[str, int], offset: int | None, value: int) -> bytes:
    machine = list(_AUDIT_ARCH).index(platform.machine())
    steps: list[tuple[int, int, int, int]] = [
        (_LOAD, 0, 0, 4),  # the architecture
        (_IF_EQUAL, 1, 0, _AUDIT_ARCH[platform.machine()]),
        (_ANSWER, 0, 0, _ALLOW),
    ]
    for name, number in calls.items():
        call = _NUMBERS[name][machine]
        if call is None:
            continue
        refuse = (_ANSWER, 0, 0, _REFUSE | number)
        if offset is None:
            steps += [(_LOAD, 0, 0, 0), (_IF_EQUAL, 0, 1, call), refuse]
        else:
            steps += [(_LOAD, 0, 0, 0), (_IF_EQUAL, 0, 3, call)]
            steps += [(_LOAD, 0, 0, offset), (_IF_EQUAL, 0, 1, value), refuse]
    steps.append((_ANSWER, 0, 0, _ALLOW))
    return b"".join(struct.pack("HBBI", *step) for step in steps)
