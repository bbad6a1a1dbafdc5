"""Which errors may be for want of a network."""

import errno
import socket
from urllib.error import URLError

import pytest

from runward.actors.ending import wants_network


def caused(error: BaseException) -> BaseException:
    try:
        raise LookupError("no answer") from error
    except LookupError as raised:
        return raised


@pytest.mark.parametrize(
    ("error", "wants"),
    [
        (OSError(errno.ENETUNREACH, "Network is unreachable"), True),
        (socket.gaierror(-3, "Temporary failure in name resolution"), True),
        (URLError(socket.gaierror(-3, "Temporary failure in name resolution")), True),
        (caused(OSError(errno.ENETUNREACH, "Network is unreachable")), True),
        (PermissionError(errno.EACCES, "Permission denied"), True),
        (PermissionError(errno.EACCES, "Permission denied", "/etc/shadow"), False),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), False),
        (LookupError("reason"), False),
        (caused(LookupError("no such key")), False),
    ],
)
def test_what_the_kernel_says_where_there_is_none(error: BaseException, wants: bool) -> None:
    assert wants_network(error) is wants


def test_errors_that_are_each_others_cause_have_an_end() -> None:
    one, other = LookupError(), LookupError()
    one.__cause__, other.__cause__ = other, one
    assert not wants_network(one)
