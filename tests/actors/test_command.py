"""The process of a `command` agent, from its fork to the program: started by hand, with a socketpair for a warden."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from runward.actors.command import main
from runward.actors.command_lines import FIRST_BYTES, start_for
from runward.actors.messages.with_agent import Interrupt
from runward.actors.records import RunInput
from runward.config.settings import AgentSpec

DEADLINE_S = 20.0
BE = f"import sys; from {main.__module__} import main; main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:], {{}})"
SAY = ("sh", "-c", "echo began")
START = json.dumps({"control": "start", "input": "go"}, separators=(",", ":")).encode() + b"\n"


@contextmanager
def _child(*command: str) -> "Iterator[tuple[subprocess.Popen[bytes], socket.socket]]":
    """The process, and the warden's end of its socket."""
    ours, theirs = socket.socketpair()
    up = os.dup(theirs.fileno())
    ours.settimeout(DEADLINE_S)
    with ours, theirs:
        link = (theirs.fileno(), up)
        child = subprocess.Popen([sys.executable, "-P", "-c", BE, *map(str, link), *command], pass_fds=link)
        theirs.close()
        os.close(up)
        try:
            yield child, ours
        finally:
            child.kill()
            child.wait()


def test_the_start_of_a_program_begins_as_its_process_expects() -> None:
    said = start_for(AgentSpec(command=SAY), "run_1", RunInput(input="go"))
    assert msgspec.json.encode(said).startswith(FIRST_BYTES)
    assert not msgspec.json.encode(Interrupt("stop")).startswith(FIRST_BYTES)


def test_a_program_begins_with_the_start_which_it_reads_itself() -> None:
    with _child("sh", "-c", 'read -r line; echo "$line"') as (child, warden):
        warden.sendall(START)
        assert child.wait(DEADLINE_S) == 0
        assert warden.recv(4096) == START


def test_a_program_whose_first_line_is_no_start_never_begins() -> None:
    with _child(*SAY) as (child, warden):
        warden.sendall(b'{"control":"interrupt","message":"stop"}\n')
        assert child.wait(DEADLINE_S) == 130


def test_a_program_whose_warden_is_gone_never_begins() -> None:
    with _child(*SAY) as (child, warden):
        warden.shutdown(socket.SHUT_WR)
        assert child.wait(DEADLINE_S) == 130
        assert warden.recv(4096) == b""


def test_sigterm_ends_it_while_it_waits() -> None:
    with _child(*SAY) as (child, warden):
        child.send_signal(signal.SIGTERM)
        assert child.wait(DEADLINE_S) != 0
        assert warden.recv(4096) == b""


def test_a_program_that_is_not_there_is_a_failed_start() -> None:
    with _child("/no/such/program") as (child, warden):
        warden.sendall(START)
        assert child.wait(DEADLINE_S) == 127
        assert json.loads(warden.recv(4096)) == {
            "claim": "start_failed",
            "error": "can't start '/no/such/program': No such file or directory (errno 2)",
        }
