"""The agent's end of the link to its warden: JSON lines, and the only place here that knows bytes.

One send per event, at once: the kernel's buffer is the only buffer, and the warden's pace the back-pressure.
A line is never torn or sent twice, whichever thread writes and wherever SIGTERM strikes.
"""

import os
import select
import threading
from _socket import socket as Socket  # without what `socket` adds, which an agent would copy
from collections.abc import Callable, Iterator
from typing import Any, Literal, Protocol

import msgspec

from .messages.with_agent import ToAgent
from .records import Usage

#: What encoding a value that is no JSON can raise.
UNENCODABLE = (TypeError, ValueError, OverflowError, RecursionError)

READ_AT_ONCE = 65_536


def _plain(value: Any) -> Any:
    """A kind of text is text, which msgspec does not take it for."""
    if isinstance(value, str):
        return str.__str__(value)
    raise TypeError(f"Encoding objects of type {type(value).__name__} is unsupported")


_encode = msgspec.json.Encoder(enc_hook=_plain).encode
_decode = msgspec.json.Decoder(ToAgent).decode


ClaimKind = Literal["completed", "exception", "start_failed", "interrupted"]


class ClaimLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The agent's account of its own end; `kind` is what its entrypoint was."""

    claim: ClaimKind
    output: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: str | None = None
    usage: Usage | None = None
    kind: str | None = None


class Bell(Protocol):
    """What the reader of controls looks after besides: see `SigtermHandler`."""

    def fileno(self) -> int:
        """Readable when it rings."""

    def insist(self) -> None:
        """Answer it."""


class Channel:
    """Both directions: a socket down, a pipe up. Writing is for any thread; `controls` has one reader at a time."""

    def __init__(self, down_fd: int, up_fd: int) -> None:
        self._socket = Socket(fileno=down_fd)
        os.set_inheritable(down_fd, False)
        self._up_fd = up_fd
        os.set_inheritable(up_fd, False)
        os.set_blocking(up_fd, False)
        # Reentrant: a signal handler of the agent may emit while the same thread is emitting.
        self._lock = threading.RLock()
        self._unsent = b""
        self._pusher = 0
        self._after_push: Callable[[], None] | None = None

    def controls(self, bell: Bell) -> Iterator[ToAgent]:
        """The warden's messages, blocking; ends with the warden. What is not known is passed over.

        It answers the bell between two of them.
        """
        for line in self._lines(bell):
            try:
                yield _decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue

    def _lines(self, bell: Bell) -> Iterator[bytes]:
        ready = select.poll()
        ready.register(self._socket, select.POLLIN)
        ready.register(bell, select.POLLIN)
        rest = b""
        while True:
            for fd, _ in ready.poll():
                if fd == bell.fileno():
                    bell.insist()
                    continue
                chunk = self._socket.recv(READ_AT_ONCE)
                if not chunk:
                    return
                *lines, rest = (rest + chunk).split(b"\n")
                yield from lines

    def write(self, line: bytes) -> None:
        """Send one line (with its newline). Blocks while the warden leaves the socket alone.

        An exception that a signal handler raises meanwhile loses nothing: the rest goes first next time.
        """
        with self._lock:
            self._unsent += line
            if self._pusher:
                return  # a signal handler, inside this thread's `_push`, which goes on with this line
            while self._unsent:
                self._push()

    def defer(self, act: Callable[[], None]) -> bool:
        """Do `act` a moment later, if this thread is just between a send and the note of how much was sent.

        For signal handlers that raise. Returns whether it was deferred; if not, nothing is done.
        """
        if self._pusher != threading.get_ident():
            return False
        self._after_push = act
        return True

    def close(self) -> None:
        """Close this end. An agent never does: it is how its warden knows that it lives."""
        self._socket.close()
        os.close(self._up_fd)

    def _push(self) -> None:
        """Send what the kernel takes, or wait for room; a wait can be broken off, with nothing half-done."""
        self._pusher = threading.get_ident()
        try:
            self._unsent = self._unsent[os.write(self._up_fd, self._unsent) :]
            full = False
        except BlockingIOError:
            full = True
        except ConnectionError:
            os._exit(1)  # the warden died, and this process lives only in its care
        finally:
            self._pusher = 0
        if self._after_push is not None:
            act, self._after_push = self._after_push, None
            act()
        if full:
            room = select.poll()
            room.register(self._up_fd, select.POLLOUT)
            room.poll()


def delta_line(text: str) -> bytes:
    """The line of a `message.delta`, the event that there are most of."""
    return b'{"event":"message.delta","delta":' + to_json(text) + b"}\n"


def event_line(event: str, fields: dict[str, Any]) -> bytes:
    """The line of any event. TypeError names the field that is no JSON."""
    try:
        return to_json({"event": event, **fields}) + b"\n"
    except UNENCODABLE:
        for name, value in fields.items():
            _check_field(event, name, value)
        raise


def claim_line(claim: ClaimLine) -> bytes:
    """The line of a claim."""
    return to_json(claim) + b"\n"


def to_json(value: Any) -> bytes:
    """JSON as UTF-8, or one of `UNENCODABLE`. Half a surrogate pair, left by a split stream, becomes "?"."""
    try:
        return _encode(value)
    except UnicodeEncodeError:
        return _encode(_without_surrogates(msgspec.to_builtins(value)))


def _check_field(event: str, name: str, value: Any) -> None:
    try:
        to_json(value)
    except UNENCODABLE as error:
        raise TypeError(f"field {name!r} of event {event!r} can't be JSON: {error}") from error


def _without_surrogates(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case dict():
            return {_without_surrogates(key): _without_surrogates(each) for key, each in value.items()}
        case list() | tuple():
            return [_without_surrogates(each) for each in value]
        case _:
            return value
