"""What comes up from an agent, made safe: bytes in, checked JSON lines out. No I/O, no clock.

Nothing here is believed: a line is an event with a dotted name that is not the runtime's, or the agent's claim
about its own end, or it is refused and the agent is told. Every line is encoded again, so that what goes on holds
no stray carriage return, no doubled key and no `run_id` or `seq` of the agent's making.
"""

import re
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from .messages import Claim
from .records import Usage

OWNED = ("run.", "stream.", "approval.")  # the runtime's own names
_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+")
_NAME_LONGEST = 128
_STRIPPED = ("run_id", "seq", "timestamp")  # stamped by us


class _Delta(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The shape of nearly every line. Decoding a whole chunk as these is 10 times faster than line by line."""

    event: Literal["message.delta", "reasoning.delta"]
    delta: str
    timestamp: float = 0.0


class _ClaimLine(msgspec.Struct, forbid_unknown_fields=True):
    claim: Literal["completed", "exception", "start_failed", "interrupted"]
    output: msgspec.Raw = msgspec.Raw()
    error: str | None = None
    usage: Usage | None = None
    kind: str | None = None


_deltas = msgspec.json.Decoder(_Delta)
_anything = msgspec.json.Decoder()
_claims = msgspec.json.Decoder(_ClaimLine)
_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Refused:
    """A line that was not taken: the event's name as far as it had one, and why."""

    event: str
    why: str


@dataclass(slots=True)
class Taken:
    """What one chunk held: `count` events as JSON lines in `blob`, at most one claim, and refusals."""

    blob: bytes = b""
    count: int = 0
    claim: Claim | None = None
    kind: str | None = None
    refused: list[Refused] = field(default_factory=list)


class Intake:
    """Cuts a stream into lines and checks them. Holds at most `max_event_bytes` of an unfinished line."""

    def __init__(self, max_event_bytes: int) -> None:
        self._max_event_bytes = max_event_bytes
        self._partial = b""
        self._skipping = False  # inside a line that is too long

    def feed(self, chunk: bytes, timestamp: float) -> Taken:
        """Take what the agent wrote at `timestamp` (Unix seconds)."""
        taken = Taken()
        lines = self._whole_lines(chunk, taken)
        if lines and not self._take_deltas(lines, timestamp, taken):
            parts: list[bytes] = []
            for line in lines.split(b"\n"):
                self._take_line(line, timestamp, taken, parts)
            taken.blob, taken.count = b"".join(parts), len(parts)
        return taken

    def _whole_lines(self, chunk: bytes, taken: Taken) -> bytes:
        head, newline, tail = chunk.rpartition(b"\n")
        if not newline:
            self._keep(self._partial + tail, taken)
            return b""
        if self._skipping:
            self._skipping = False
            _, _, head = head.partition(b"\n")
            lines = head
        else:
            lines = self._partial + head
        self._partial = b""
        self._keep(tail, taken)
        return lines

    def _keep(self, partial: bytes, taken: Taken) -> None:
        if self._skipping:
            return
        if len(partial) > self._max_event_bytes:
            self._skipping, self._partial = True, b""
            taken.refused.append(Refused("", f"an event is longer than {self._max_event_bytes} bytes"))
        else:
            self._partial = partial

    def _take_deltas(self, lines: bytes, timestamp: float, taken: Taken) -> bool:
        """The fast path: all lines are deltas of lawful size, or it takes none."""
        if len(lines) > self._max_event_bytes:
            return False
        try:
            events = _deltas.decode_lines(lines)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return False
        for event in events:
            event.timestamp = timestamp
        taken.blob, taken.count = _encoder.encode_lines(events), len(events)
        return True

    def _take_line(self, line: bytes, timestamp: float, taken: Taken, parts: list[bytes]) -> None:
        try:
            said = _anything.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            taken.refused.append(Refused("", f"not JSON: {error}"))
            return
        if not isinstance(said, dict):
            taken.refused.append(Refused("", "not a JSON object"))
        elif "claim" in said:
            self._take_claim(line, taken)
        else:
            self._take_event(said, timestamp, taken, parts)

    def _take_claim(self, line: bytes, taken: Taken) -> None:
        try:
            said = _claims.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            taken.refused.append(Refused("", f"not a claim: {error}"))
            return
        if taken.claim is None:
            taken.claim = Claim(
                kind=said.claim, output=bytes(said.output), error=said.error, usage=said.usage
            )
            taken.kind = said.kind

    def _take_event(self, said: dict[str, Any], timestamp: float, taken: Taken, parts: list[bytes]) -> None:
        name = said.pop("event", None)
        why = why_not(name)
        if why is None:
            for key in _STRIPPED:
                said.pop(key, None)
            encoded = _encode({"event": name, "timestamp": timestamp, **said})
            if encoded is None or len(encoded) > self._max_event_bytes:
                why = (
                    f"longer than {self._max_event_bytes} bytes" if encoded else "holds what can't be encoded"
                )
            else:
                parts.append(encoded + b"\n")
        if why is not None:
            taken.refused.append(Refused(name[:_NAME_LONGEST] if isinstance(name, str) else "", why))


def why_not(name: object) -> str | None:
    """Why an agent may not emit an event of this name; None if it may."""
    if not isinstance(name, str):
        return "an event needs a name: a string under the key 'event'"
    if len(name) > _NAME_LONGEST or _NAME.fullmatch(name) is None:
        return "an event's name is dotted and lower case, like 'tool.started'"
    if name.startswith(OWNED):
        return "names that begin with run., stream. or approval. belong to the runtime"
    return None


def _encode(event: dict[str, Any]) -> bytes | None:
    try:
        return _encoder.encode(event)
    except (UnicodeEncodeError, RecursionError, msgspec.MsgspecError):
        return None


def lawful(blob: bytes, count: int) -> bool:
    """Whether a batch is what `Intake` makes: `count` lines, each an object whose event is not the runtime's.

    The supervisor asks this again, because a warden that was taken over must not forge a run's end.
    """
    if b"\r" in blob or blob.count(b"\n") != count or not blob.endswith(b"\n"):
        return False
    try:
        names = _names.decode_lines(blob)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return len(names) == count and not any(name.event.startswith(OWNED) for name in names)


class _Named(msgspec.Struct, gc=False):
    event: str


_names = msgspec.json.Decoder(_Named)
