"""How an agent ended: from what its call did, raised or returned to the claim it makes and its exit code.

Pure but for the tracebacks that go to stderr, which is the run's log.
"""

import errno
import sys
import traceback
from typing import Any, NamedTuple, Protocol

import msgspec

from .channel import UNENCODABLE, ClaimKind, ClaimLine, claim_line, to_json
from .interruption import Interrupted
from .records import Kind, Usage

LONGEST_ERROR = 4096  # characters of a message: the whole traceback is on stderr
_NO_NETWORK = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN})
_MOST_CAUSES = 30
EXIT_FAILED = 1
EXIT_INTERRUPTED = 130  # as a shell reports Ctrl-C


class Ending(NamedTuple):
    """The claim to make, if any, and the exit code."""

    claim: ClaimLine | None
    code: int


class Call(Protocol):
    """One call of an agent, of whatever kind; all of it is right at every moment, however the call ends."""

    @property
    def kind(self) -> Kind:
        """What the agent turned out to be."""

    @property
    def output(self) -> Any:
        """What it has made so far; None for nothing."""

    @property
    def error(self) -> str | None:
        """Why it failed, if it says so without raising."""

    @property
    def interrupted(self) -> bool:
        """Whether it says that it broke off."""

    @property
    def usage(self) -> Usage | None:
        """Tokens, if it counted any."""


def ending_of_return(call: Call, wished: bool) -> Ending:
    """The call came back. `wished`: the run had been asked to end, so that this is no completion."""
    if wished or call.interrupted:
        return _ending("interrupted", call)
    if call.error is not None:
        return _ending("exception", call, call.error)
    return _ending("completed", call)


def ending_of_raise(
    error: BaseException, call: Call | None, wished: bool, network: str = "", wanting: str = ""
) -> Ending:
    """The call raised; `call` is None if it never began, since the agent couldn't be loaded or built.

    `network`: what to say of the agent's network if that may be what was wanting. `wanting`: what to say of
    anything else that was.
    """
    if isinstance(error, Interrupted):
        return _ending("interrupted", call)
    if isinstance(error, SystemExit) and call is not None:
        return _ending_of_exit(error, call, wished)
    traceback.print_exception(error)
    said = describe(error) + wanting + (network if network and wants_network(error) else "")
    if call is None:
        return _ending("start_failed", None, said)
    return _ending("interrupted" if wished else "exception", call, said)


def _ending_of_exit(error: SystemExit, call: Call, wished: bool) -> Ending:
    """`sys.exit` with 0 or nothing is a return; any other code speaks for itself, without a claim."""
    if isinstance(error.code, str):
        sys.stderr.write(f"{error.code}\n")
    code = error.code & 0xFF if isinstance(error.code, int) else int(error.code is not None)
    return Ending(None, code) if code else ending_of_return(call, wished)


def _ending(claim: ClaimKind, call: Call | None, error: str | None = None) -> Ending:
    if call is None:
        return Ending(ClaimLine(claim=claim, error=error), _exit_code(claim))
    made = ClaimLine(claim=claim, error=error, usage=call.usage, kind=call.kind.value)
    output = call.output
    if output is not None:
        try:
            made = msgspec.structs.replace(made, output=msgspec.Raw(to_json(output)))
        except UNENCODABLE as unencodable:
            problem = f"TypeError: the output, a {type(output).__name__}, can't be JSON: {unencodable}"
            claim = "interrupted" if claim == "interrupted" else "exception"
            made = msgspec.structs.replace(made, claim=claim, error=error or problem)
    return Ending(made, _exit_code(claim))


def fitted(ending: Ending, longest: int) -> Ending:
    """The same, if its line is at most so many bytes; else the output is left out, and the claim says so."""
    claim = ending.claim
    if claim is None or (size := len(claim_line(claim))) <= longest:
        return ending
    kind: ClaimKind = "exception" if claim.claim == "completed" else claim.claim
    problem = f"ValueError: the output is {size} bytes of JSON, and an event holds at most {longest}"
    claim = msgspec.structs.replace(claim, claim=kind, output=msgspec.UNSET, error=claim.error or problem)
    return Ending(claim, _exit_code(kind))


def _exit_code(claim: ClaimKind) -> int:
    return {"completed": 0, "interrupted": EXIT_INTERRUPTED}.get(claim, EXIT_FAILED)


def wants_network(error: BaseException) -> bool:
    """Whether it is, or came of, what the kernel and its library say where there is no network."""
    waiting: list[object] = [error]
    for each in waiting:  # which grows meanwhile
        if isinstance(each, OSError) and (
            each.errno in _NO_NETWORK or type(each).__name__ == "gaierror" or _is_refused_socket(each)
        ):
            return True
        if isinstance(each, BaseException) and len(waiting) < _MOST_CAUSES:
            waiting += (each.__cause__, each.__context__, getattr(each, "reason", None))
    return False


def _is_refused_socket(error: OSError) -> bool:
    """Where a filter of system calls is all that there is; other calls that are refused so have a path to tell."""
    return error.errno == errno.EACCES and error.filename is None


def describe(error: BaseException) -> str:
    """The last line of its traceback: the type's name and the message."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    try:
        text = str(error)
    except Exception:  # noqa: BLE001  # an agent's own exception class, which may be broken in any way
        text = "its message can't be printed"
    return f"{name}: {text[:LONGEST_ERROR]}" if text else name
