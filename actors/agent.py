"""The agent's process: imports the agent inside the walls, runs it, tells the warden how it ended, and exits.

This is the untrusted side: what it sends up is a claim, and nothing in the runtime relies on it. It knows the
channel to its warden and nothing else; it must not import supervisor, journal, http or mailbox.
"""

import _thread
import atexit
import faulthandler
import logging
import os
import signal
import sys
import threading
import traceback
import weakref
from io import TextIOWrapper
from queue import SimpleQueue
from typing import Any, NoReturn

from ..config.sections import AgentSpec
from . import birth
from .asking import AgentCall, call_of
from .channel import Channel, claim_line
from .ending import EXIT_FAILED, Ending, ending_of_raise, ending_of_return, fitted
from .entrypoints import load
from .frameworks.recognised import advice
from .interruption import Interrupted, Interruption, SigtermHandler
from .messages.with_agent import (
    Approval,
    ChildEnded,
    ChildRefused,
    ChildStarted,
    EventRefused,
    Guidance,
    Interrupt,
    Start,
)
from .people import People
from .records import RunInput
from .run import Run, begin


def main(
    link_fd: int,
    up_fd: int,
    spec: AgentSpec,
    run_id: str,
    max_event_bytes: int = 1_048_576,
    spare: bool = False,
) -> NoReturn:
    """Live one run and exit. Called by the warden in the forked child, with its end of the link.

    `max_event_bytes` is the longest line that the warden takes; an output that is longer fails the run. A `spare`
    says in ps(1) that it is one, until it begins.
    Exit code: 0 completed, 1 it raised or could not start, 130 interrupted, else what it gave `sys.exit`.
    """
    code = EXIT_FAILED
    try:
        _inherit_nothing()
        code = AgentProcess(link_fd, up_fd, spec, run_id, spare).live(max_event_bytes)
    except BaseException:  # noqa: BLE001  # whatever it is, the process must not return into the warden's code
        traceback.print_exc()
    _leave(code)


class AgentProcess:
    """One life, from the fork to the claim."""

    def __init__(self, link_fd: int, up_fd: int, spec: AgentSpec, run_id: str, spare: bool = False) -> None:
        """All that can be done before the start is done here: the warden has other things to do until then."""
        self._pid = os.getpid()
        self._spec = spec
        self._run_id = run_id
        self._is_spare = spare
        self._channel = Channel(link_fd, up_fd)
        self._interruption = Interruption()
        self._people = People(self._channel, self._interruption)
        self._sigterm = SigtermHandler(self._interruption, self._channel)
        self._start: SimpleQueue[RunInput] = SimpleQueue()
        self._call: AgentCall | None = None
        self._run: Run | None = None
        # Not a `threading.Thread`: an agent that counts its threads should find only its own.
        _thread.start_new_thread(self._listen, ())

    def live(self, max_event_bytes: int) -> int:
        """Wait for the start, run the agent, make the claim. Returns the exit code."""
        ending = fitted(self._run_agent(), max_event_bytes)
        # A process that the agent forked, and that came back through its code, has no word in this.
        if ending.claim is not None and os.getpid() == self._pid:
            self._channel.write(claim_line(ending.claim))
        return ending.code

    def _listen(self) -> None:
        """The control thread. Its end is the warden's death, and this process lives only in the warden's care."""
        for control in self._channel.controls(self._sigterm):
            match control:
                case Start(given):
                    self._start.put(given)
                case Interrupt(message):
                    self._interruption.deliver(message)
                case Approval():
                    self._people.answered(control)
                case Guidance():
                    self._people.told(control)
                case EventRefused(event, why):
                    sys.stderr.write(f"runward: event {event!r} was refused: {why}\n")
                case ChildStarted() | ChildRefused() | ChildEnded():
                    if self._run is not None:
                        self._run.hear_of_child(control)
        os._exit(EXIT_FAILED)

    def _run_agent(self) -> Ending:
        """Import, call, and see how it ends; from its end on SIGTERM does nothing. Raises nothing."""
        try:
            try:
                self._sigterm.arm()
                self._call = self._prepare(self._start.get())
                self._call.perform(self._interruption)
            finally:
                self._sigterm.disarm()
        except BaseException as error:  # noqa: BLE001  # an agent may raise anything, and all of it is an ending
            wanting = advice(error)
            return ending_of_raise(
                error, self._call, self._interruption.wished, _network(self._spec), wanting
            )
        return ending_of_return(self._call, self._interruption.wished)

    def _prepare(self, given: RunInput) -> AgentCall:
        """Everything that comes before the agent's own work: what goes wrong here is a failed start."""
        if self._is_spare:
            birth.entitle(f"agent {self._run_id}")
        self._run = run = begin(Run(self._run_id, given, self._channel, self._interruption, self._people))
        return call_of(self._target(), given, run, self._channel, self._spec.options)

    def _target(self) -> Any:
        if not self._spec.callable:
            return load(self._spec.entrypoint, self._spec.import_root)
        from .callables import unpacked  # with dill, which no other agent loads

        return unpacked(self._spec.callable)


def _network(spec: AgentSpec) -> str:
    """What an agent should be told that found no network."""
    if spec.network == "none":
        return f' (this agent has no network: agents.{spec.name}.network = "proxy" or "host" gives it one)'
    if spec.network == "proxy":
        return f" (this agent has a network by HTTP_PROXY only, to agents.{spec.name}.allow_hosts)"
    return ""


def _inherit_nothing() -> None:
    """Drop what the zygote had planned for its own end: only the agent's exit handlers run in the agent."""
    atexit._clear()
    vars(weakref.finalize)["_registry"].clear()
    setattr(weakref.finalize, "_registered_with_atexit", False)  # noqa: B010  # private: not in the stubs
    vars(threading.main_thread())["_native_id"] = threading.get_native_id()  # as threading does after a fork
    atexit.register(logging.shutdown)  # its own registration went with the rest
    streams = _streams or prepare_streams()
    sys.stdout = sys.__stdout__ = streams[0]  # type: ignore[misc]  # Final, for others
    sys.stderr = sys.__stderr__ = streams[1]  # type: ignore[misc]
    faulthandler.enable(2)


_streams: tuple[TextIOWrapper, ...] = ()


def prepare_streams() -> tuple[TextIOWrapper, ...]:
    """In the zygote: make what agents will have for stdout and stderr, which saves each of them 30 pages.

    The zygote's own believe to be what the server's stdout is, a file perhaps; these, a pipe, as an agent's are. Line
    by line, since what is in a buffer is lost with a process that is killed.
    """
    global _streams
    reads, writes = os.pipe()
    streams = []
    for fd in (1, 2):
        own = os.dup(fd)
        os.dup2(writes, fd)
        stream = open(fd, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
        streams.append(stream)
        os.dup2(own, fd)
        os.close(own)
    os.close(reads)
    os.close(writes)
    _streams = tuple(streams)
    return _streams


def _leave(code: int) -> NoReturn:
    """End as an interpreter does: threads, exit handlers, output. SIGTERM goes on to the next step."""
    for step in (_join_threads, atexit._run_exitfuncs, _flush):
        try:
            step()
        except Interrupted:
            continue
        except BaseException:  # noqa: BLE001  # the agent's own handlers; the process ends all the same
            traceback.print_exc()
    os._exit(code)


def _join_threads() -> None:
    handler = signal.getsignal(signal.SIGTERM)
    if isinstance(handler, SigtermHandler):
        handler.arm()
    vars(threading)["_shutdown"]()  # what the interpreter itself calls; it has no public name


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
