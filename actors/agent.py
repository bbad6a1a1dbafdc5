"""The agent's process: imports the agent inside the walls, runs it, tells the warden how it ended, and exits.

This is the untrusted side: what it sends up is a claim, and nothing in the runtime relies on it. It knows the
channel to its warden and nothing else; it must not import supervisor, journal, http or mailbox.
"""

import _thread
import atexit
import faulthandler
import io
import logging
import os
import sys
import threading
import traceback
import weakref
from collections.abc import Callable
from queue import SimpleQueue
from typing import NoReturn

from ..config.settings import AgentSpec
from .calling import FunctionCall
from .channel import Channel, claim_line
from .conversation import Conversation
from .ending import EXIT_FAILED, Ending, ending_of_raise, ending_of_return, fitted
from .entrypoints import Kind, kind_of, load
from .interruption import Interrupted, Interruption, SigtermHandler
from .messages import EventRefused, Interrupt, Start
from .records import RunInput
from .run import Run


def main(fd: int, spec: AgentSpec, run_id: str, max_event_bytes: int = 1_048_576) -> NoReturn:
    """Live one run and exit. Called by the warden in the forked child, with its end of the socketpair.

    `max_event_bytes` is the longest line that the warden takes; an output that is longer fails the run.
    Exit code: 0 completed, 1 it raised or could not start, 130 interrupted, else what it gave `sys.exit`.
    """
    try:
        _inherit_nothing()
        code = _live(Channel(fd), spec, run_id, max_event_bytes)
    except BaseException:  # noqa: BLE001  # whatever it is, the process must not return into the warden's code
        traceback.print_exc()
        code = EXIT_FAILED
    _leave(code)


def _live(channel: Channel, spec: AgentSpec, run_id: str, max_event_bytes: int) -> int:
    """Make ready, wait for the start, run the agent, claim. Returns the exit code.

    All that can be done before the start is: the warden has other things to do until then.
    """
    interruption = Interruption()
    handler = SigtermHandler(interruption, channel)
    start: SimpleQueue[RunInput] = SimpleQueue()
    # Not a `threading.Thread`: an agent that counts its threads should find only its own.
    _thread.start_new_thread(_listen, (channel, start.put, interruption))
    pid = os.getpid()
    ending = _run_agent(spec, run_id, start.get, channel, interruption, handler.disarm)
    ending = fitted(ending, max_event_bytes)
    # A process that the agent forked, and that came back through its code, has no word in this.
    if ending.claim is not None and os.getpid() == pid:
        channel.write(claim_line(ending.claim))
    handler.arm()
    return ending.code


def _listen(channel: Channel, start: Callable[[RunInput], None], interruption: Interruption) -> None:
    """The control thread. Its end is the warden's death, and this process lives only in the warden's care."""
    for control in channel.controls():
        match control:
            case Start(given):
                start(given)
            case Interrupt(message):
                interruption.deliver(message)
            case EventRefused(event, why):
                sys.stderr.write(f"runward: event {event!r} was refused: {why}\n")
    os._exit(EXIT_FAILED)


def _run_agent(
    spec: AgentSpec,
    run_id: str,
    wait_for_start: Callable[[], RunInput],
    channel: Channel,
    interruption: Interruption,
    disarm: Callable[[], None],
) -> Ending:
    """Import, call, and see how it ends; from its end on SIGTERM is disarmed. Raises nothing."""
    call: FunctionCall | Conversation | None = None
    try:
        try:
            given = wait_for_start()
            call = _prepare(spec, given, Run(run_id, given, channel, interruption), channel)
            call.perform(interruption)
        finally:
            disarm()
    except BaseException as error:  # noqa: BLE001  # an agent may raise anything, and all of it is an ending
        return ending_of_raise(error, call, interruption.wished)
    return ending_of_return(call, interruption.wished)


def _prepare(spec: AgentSpec, given: RunInput, run: Run, channel: Channel) -> FunctionCall | Conversation:
    """Everything that comes before the agent's own work: what goes wrong here is a failed start."""
    target = load(spec.entrypoint, spec.import_root)
    kind = kind_of(target)
    if kind is Kind.CONVERSATION:
        return Conversation(target, given, run, channel, spec.options)
    return FunctionCall(target, kind, given.input, run, channel, spec.options)


def _inherit_nothing() -> None:
    """Drop what the zygote had planned for its own end: only the agent's exit handlers run in the agent."""
    atexit._clear()
    vars(weakref.finalize)["_registry"].clear()
    setattr(weakref.finalize, "_registered_with_atexit", False)  # noqa: B010  # private: not in the stubs
    atexit.register(logging.shutdown)  # its own registration went with the rest
    faulthandler.enable()
    if isinstance(sys.stdout, io.TextIOWrapper):  # a line in a buffer would be lost with a killed process
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)


def _leave(code: int) -> NoReturn:
    """End as an interpreter does: threads, exit handlers, output. SIGTERM goes on to the next step."""
    join_threads = vars(threading)["_shutdown"]  # what the interpreter itself calls; it has no public name
    for step in (join_threads, atexit._run_exitfuncs, _flush):
        try:
            step()
        except Interrupted:
            continue
        except BaseException:  # noqa: BLE001  # the agent's own handlers; the process ends all the same
            traceback.print_exc()
    os._exit(code)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
