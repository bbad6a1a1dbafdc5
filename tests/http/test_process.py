"""The facade as the process that root starts."""

import os
import select
import signal
import socket
import subprocess
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from runward.actors import wire
from runward.actors.messages.with_root import Ready, ShutDown
from runward.actors.spawning import spawn
from tests.support.privileges import without_privileges
from tests.support.waiting import until

from .fake_supervisor import FakeSupervisor
from .running_facade import DEADLINE_S, birth, key_of, settings

MAIN = "runward.http.app:begin"


class Child:
    """A facade in a process of its own; the test is its root."""

    def __init__(self, supervisor: FakeSupervisor) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = listener.getsockname()[1]
        self.control, its_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(DEADLINE_S)
        start = birth(supervisor, settings(), listener, its_end)
        fds = (start.listen_fd, start.control_fd)
        for fd in fds:
            os.set_inheritable(fd, True)
        self.pid = spawn(MAIN, start, fds)
        self.pidfd = os.pidfd_open(self.pid)
        for fd in fds:
            os.close(fd)

    def until_ready(self) -> None:
        assert wire.from_role.decode(self.control.recv(4096)) == Ready()

    def exit_status(self) -> int:
        """Wait for its end."""
        ready, _, _ = select.select([self.pidfd], [], [], DEADLINE_S)
        assert ready, "the facade did not end"
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def open_stream(self, run_id: str) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self.port), DEADLINE_S)
        head = f"GET /v1/runs/{run_id}/events HTTP/1.0\r\nHost: localhost\r\n"
        client.sendall(f"{head}Authorization: Bearer {key_of('olga')}\r\n\r\n".encode())
        while not (seen := client.recv(65_536)).endswith(b"retry: 1000\n\n"):
            assert seen
        return client

    def close(self) -> None:
        self.control.close()
        ready, _, _ = select.select([self.pidfd], [], [], 0)
        if not ready:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.pidfd)


@pytest.fixture
def child(supervisor: FakeSupervisor) -> Iterator[Child]:
    facade = Child(supervisor)
    facade.until_ready()
    yield facade
    facade.close()


def test_it_says_what_it_is(child: Child) -> None:
    assert Path(f"/proc/{child.pid}/cmdline").read_bytes().rstrip(b"\0") == b"runward: facade 1"


def test_shut_down_ends_it_at_once_with_its_streams(child: Child, supervisor: FakeSupervisor) -> None:
    client = child.open_stream(supervisor.add_run())
    child.control.send(wire.encode(ShutDown(30.0)))
    assert client.recv(100) == b""
    client.close()
    assert child.exit_status() == 0


def test_an_end_that_it_did_not_hear_of_is_told_before_it_goes(
    child: Child, supervisor: FakeSupervisor
) -> None:
    run_id = supervisor.add_run()
    client = child.open_stream(run_id)
    supervisor.emit(run_id, "run.completed", publish=False)
    child.control.send(wire.encode(ShutDown(0.0)))
    told = b""
    while chunk := client.recv(65_536):
        told += chunk
    client.close()
    assert b'"run.completed"' in told
    assert told.endswith(b": stream closed\n\n")
    assert child.exit_status() == 0


def test_who_is_connected_when_it_is_replaced_gets_one_more_answer_and_nobody_else_does(child: Child) -> None:
    connection = HTTPConnection("127.0.0.1", child.port, timeout=DEADLINE_S)
    for last in (False, True):
        if last:
            child.control.send(wire.encode(ShutDown(DEADLINE_S)))
            until(lambda: not accepts(child.port), DEADLINE_S, "the end of accepting")
        connection.request("GET", "/health")
        answer = connection.getresponse()
        answer.read()
        assert (answer.status, answer.headers["Connection"] == "close") == (200, last)
    connection.close()
    assert child.exit_status() == 0


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), DEADLINE_S).close()
    except OSError:
        return False
    return True


def test_it_ends_when_root_is_gone(child: Child) -> None:
    child.control.close()
    assert child.exit_status() == 0


def test_sigterm_ends_it_and_sigint_does_not(child: Child, supervisor: FakeSupervisor) -> None:
    os.kill(child.pid, signal.SIGINT)
    child.open_stream(supervisor.add_run()).close()
    os.kill(child.pid, signal.SIGTERM)
    assert child.exit_status() == 0


def test_it_is_not_ready_before_the_supervisor_answers(supervisor: FakeSupervisor) -> None:
    supervisor.silent = True
    facade = Child(supervisor)
    try:
        facade.open_stream(supervisor.add_run()).close()  # it serves what it can
        facade.control.setblocking(False)
        with pytest.raises(BlockingIOError):
            facade.control.recv(100)
        facade.control.settimeout(DEADLINE_S)
        supervisor.silent = False
        facade.until_ready()
    finally:
        facade.close()


def test_a_shut_down_before_it_is_ready_is_heeded(supervisor: FakeSupervisor) -> None:
    supervisor.silent = True
    facade = Child(supervisor)
    try:
        facade.control.send(wire.encode(ShutDown(0.0)))
        assert facade.exit_status() == 0
    finally:
        facade.close()


def test_no_secret_can_be_read_in_proc(supervisor: FakeSupervisor) -> None:
    """By who is of the same user; root may read everything."""

    def environment(pid: int) -> bytes:
        return Path(f"/proc/{pid}/environ").read_bytes()

    def look() -> None:
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE, env={"A": "1"}) as ordinary:
            # Nothing is there while it becomes another program.
            until(lambda: environment(ordinary.pid) == b"A=1\0", DEADLINE_S, "what is no secret")
            ordinary.communicate()
        facade = Child(supervisor)
        try:
            facade.until_ready()
            with pytest.raises(PermissionError):
                environment(facade.pid)
        finally:
            facade.close()

    without_privileges(look)
