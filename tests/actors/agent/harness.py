"""A warden with a memory: starts agent processes, talks to them, and remembers what each said and how it ended."""

import fcntl
import os
import re
import select
import signal
import socket
import subprocess
import sys
import termios
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from runward.actors.channel import Channel
from runward.actors.messages.with_agent import EventRefused, Interrupt, Start, ToAgent
from runward.actors.records import RunInput
from runward.config.settings import AgentSpec

from .forker import Request

AGENTS = Path(__file__).parent / "agents"
CHECKOUT = Path(__file__).parents[3]
DEADLINE_S = 20.0


class Life:
    """One agent process, seen from its warden. Every wait has a deadline and names what never came."""

    def __init__(self, link: socket.socket, out: int, err: int, report: int) -> None:
        self.lines: list[dict[str, Any]] = []
        self._link = link
        self._out = out
        self._err = err
        self._report = report
        self._partial = b""
        self._link_closed = False
        self._stdout: bytes | None = None
        self.pid = int(self._reported())
        self._code: int | None = None

    @property
    def events(self) -> list[dict[str, Any]]:
        return [line for line in self.lines if "event" in line]

    @property
    def deltas(self) -> list[str]:
        return [line["delta"] for line in self.events if line["event"] == "message.delta"]

    @property
    def claims(self) -> list[dict[str, Any]]:
        return [line for line in self.lines if "claim" in line]

    @property
    def claim(self) -> dict[str, Any]:
        """The one claim that it made."""
        (claim,) = self.claims
        return claim

    def tell(self, *controls: ToAgent) -> None:
        self.send(b"".join(msgspec.json.encode(control) + b"\n" for control in controls))

    def send(self, controls: bytes) -> None:
        self._link.sendall(controls)

    def begin(self, text: str = "hello", **given: Any) -> None:
        self.tell(Start(RunInput(input=text, **given)))

    def interrupt(self, message: str = "Stop requested via API") -> None:
        self.tell(Interrupt(message))

    def refuse(self, event: str, why: str) -> None:
        self.tell(EventRefused(event, why))

    def signal(self, number: int = signal.SIGTERM) -> None:
        os.kill(self.pid, number)

    def hang_up(self) -> None:
        """Die, as far as the agent can see."""
        self._link.close()
        self._link_closed = True

    def hear(self, wanted: Callable[["Life"], Any], what: str) -> None:
        """Read what it says until `wanted`; fails with `what` when the deadline or the agent's end comes first."""
        deadline = time.monotonic() + DEADLINE_S
        while not wanted(self):
            assert not self._link_closed, f"the agent ended without {what}; it said {self.lines[-20:]}"
            self._hear_some(deadline, what)

    def hear_deltas(self, count: int = 1) -> None:
        self.hear(lambda life: len(life.deltas) >= count, f"{count} deltas")

    def hear_events(self, count: int) -> None:
        self.hear(lambda life: len(life.events) >= count, f"{count} events")

    def hear_said(self, event: str) -> None:
        self.hear(lambda life: any(each["event"] == event for each in life.events), f"an event {event}")

    def hear_stdout(self, line: str) -> None:
        """Wait until it has printed this line next."""
        _await(self._out, time.monotonic() + DEADLINE_S, f"{line!r} on stdout")
        assert _read_line(self._out).decode() == f"{line}\n"

    def hear_stderr(self, line: str) -> None:
        """Wait until it has said this line there; what came before is passed over."""
        deadline = time.monotonic() + DEADLINE_S
        said = None
        while said != line:
            _await(self._err, deadline, f"{line!r} on stderr")
            said = _read_line(self._err).decode().rstrip()

    def wait_until_ready(self) -> None:
        """Until it has its SIGTERM handler, and so waits for its start."""
        caught = re.compile(r"^SigCgt:\t([0-9a-f]+)$", re.MULTILINE)

        def handles_sigterm() -> bool:
            found = caught.search(Path(f"/proc/{self.pid}/status").read_text())
            return bool(found and int(found[1], 16) & 1 << (signal.SIGTERM - 1))

        until(handles_sigterm, "its SIGTERM handler")

    def wait_until_blocked(self) -> None:
        """Until the link is full: what waits in it has not grown for a while."""
        seen = [-1]

        def is_full() -> bool:
            waiting = array("i", [0])
            fcntl.ioctl(self._link, termios.FIONREAD, waiting)
            seen.append(waiting[0])
            return waiting[0] > 0 and len(seen) > 50 and len(set(seen[-50:])) == 1

        until(is_full, "a full link")

    def end(self) -> int:
        """Hear all, and wait until the process is gone: its exit code, negative for a signal."""
        if self._code is None:
            deadline = time.monotonic() + DEADLINE_S
            while not self._link_closed:
                self._hear_some(deadline, "its end")
            self._code = os.waitstatus_to_exitcode(int(self._reported()))
        return self._code

    @property
    def stdout(self) -> str:
        """All of it; for an agent that ended."""
        return _read_all(self._out)

    @property
    def stderr(self) -> str:
        """All of it; for an agent that ended."""
        return _read_all(self._err)

    def close(self) -> None:
        """End it, if it lives, and let go of everything."""
        if self._code is None:
            try:
                os.kill(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self._reported()
        self._link.close()
        for descriptor in (self._out, self._err, self._report):
            os.close(descriptor)

    def _hear_some(self, deadline: float, what: str) -> None:
        _await(self._link.fileno(), deadline, what)
        try:
            chunk = self._link.recv(65_536)
        except ConnectionResetError:
            chunk = b""
        self._link_closed = not chunk
        *whole, self._partial = (self._partial + chunk).split(b"\n")
        self.lines += [msgspec.json.decode(line) for line in whole]
        assert chunk or not self._partial, f"the agent ended inside a line: {self._partial!r}"

    def _reported(self) -> bytes:
        _await(self._report, time.monotonic() + DEADLINE_S, "the forker's report")
        return _read_line(self._report)


class Forker:
    """The process that forks agents. Made once for many tests; it holds nothing of any of them."""

    def __init__(self) -> None:
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-m", "tests.actors.agent.forker", str(theirs.fileno())]
        self._process = subprocess.Popen(command, cwd=CHECKOUT, pass_fds=[theirs.fileno()])
        theirs.close()

    def fork(self, request: Request) -> Life:
        ours, link = socket.socketpair()
        pipes = [os.pipe() for _ in ("stdout", "stderr", "report")]
        given = [link.fileno(), *(write for _, write in pipes)]
        socket.send_fds(self._requests, [msgspec.json.encode(request)], given)
        link.close()
        for _, write in pipes:
            os.close(write)
        return Life(ours, *(read for read, _ in pipes))

    def close(self) -> None:
        self._requests.close()
        assert self._process.wait(DEADLINE_S) == 0


class Warden:
    """Starts agents of `agents/` by "file:attr", or by a full entrypoint, in one work folder."""

    def __init__(self, forker: Forker, work_folder: Path) -> None:
        self._forker = forker
        self._work_folder = work_folder
        self._lives: list[Life] = []

    def fork(self, entrypoint: str, *, max_event_bytes: int = 1_048_576, **spec: Any) -> Life:
        """A process that waits for its start."""
        if "." not in entrypoint.rpartition(":")[0]:
            entrypoint = f"{AGENTS}/{entrypoint.replace(':', '.py:')}"
        made = AgentSpec(name="agent", entrypoint=entrypoint, **spec)
        life = self._forker.fork(Request(made, "run_1", str(self._work_folder), max_event_bytes))
        self._lives.append(life)
        return life

    def run(self, entrypoint: str, text: str = "hello", **spec: Any) -> Life:
        """A process that has been started."""
        life = self.fork(entrypoint, **spec)
        life.begin(text)
        return life

    def run_to_end(self, entrypoint: str, text: str = "hello", **spec: Any) -> Life:
        """A process that is over."""
        life = self.run(entrypoint, text, **spec)
        life.end()
        return life

    def close(self) -> None:
        for life in self._lives:
            life.close()


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for what no descriptor tells; fails naming what never came."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"{what} never came"
        time.sleep(0.001)


def let_go(channel: Channel) -> None:
    """Close what an agent's process never closes by itself."""
    channel._socket.close()


def _await(descriptor: int, deadline: float, what: str) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    left_s = max(0.0, deadline - time.monotonic())
    assert poll.poll(left_s * 1000), f"{what} never came"


def _read_line(descriptor: int) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(descriptor, 1)
        assert byte, f"the end came after {line!r}"
        line += byte
    return line


def _read_all(descriptor: int) -> str:
    text = b""
    while chunk := os.read(descriptor, 65_536):
        text += chunk
    return text.decode()
