"""Ctrl-C while a run is followed, in this very process."""

import signal
import socket
import threading
import time

import pytest

from runward.bin.interrupts import StopOnInterrupt
from runward.http.api_client import Client
from tests.support.waiting import until

from .processes import DEADLINE_S


def test_a_ctrl_c_that_comes_as_a_read_is_about_to_block_is_not_slept_through() -> None:
    """Sent to another thread, it is noted while the main thread stays in its system call, as in that race."""
    reads, quiet = socket.socketpair()
    reads.settimeout(DEADLINE_S)

    interrupts = StopOnInterrupt(Client("http://127.0.0.1:9"))

    def twice() -> None:
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        until(lambda: vars(interrupts)["_wish"] == 1, DEADLINE_S, "the first to be taken")
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    sender = threading.Thread(target=twice)
    began = time.monotonic()
    with reads, quiet, pytest.raises(KeyboardInterrupt), interrupts:  # noqa: PT012  # raised wherever it strikes
        sender.start()
        reads.recv(1)
    sender.join()
    assert time.monotonic() - began < DEADLINE_S / 2


def test_what_was_installed_before_is_there_again() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGURG)]
    threads = threading.active_count()
    with StopOnInterrupt(Client("http://127.0.0.1:9")):
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGURG)] == before
    assert signal.set_wakeup_fd(-1) == -1
    deadline = time.monotonic() + DEADLINE_S
    while threading.active_count() > threads and time.monotonic() < deadline:
        pass
    assert threading.active_count() == threads
