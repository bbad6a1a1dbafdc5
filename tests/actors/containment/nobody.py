"""An ordinary user, whom root becomes in a child. Python itself may be unreadable for him: import before."""

import os

import pytest

NOBODY = 65_534

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


def become_nobody() -> None:
    """Give up root, for good."""
    become(NOBODY)


def become(uid: int) -> None:
    """The same, for another one."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
