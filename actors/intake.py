"""What comes up from an agent, made safe: bytes in, checked JSON lines out. No I/O, no clock.

Nothing here is believed: a line is an event with a dotted name that is not the runtime's, or the agent's claim
about its own end, or it is refused and the agent is told. Every line is encoded again, so that what goes on holds
no stray carriage return, no doubled key and no `run_id` or `seq` of the agent's making.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from .desk import ASKED, LONGEST_REQUEST_BYTES, STEERED, Desk, questions
from .messages.from_run import Claim
from .messages.with_agent import Approval
from .records import Kind, Usage

OWNED = ("run.", "stream.", "approval.")  # the runtime's own names
WARDENS = frozenset({ASKED, STEERED})  # those of them that a warden makes of what its agent says
_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+")
_NAME_LONGEST = 128
DEEPEST = 100  # levels of JSON
#: Joined deltas longer than this (characters) are no output: they take memory, and an event must hold them.
LONGEST_JOINED = 2**18
_STAMP_BYTES = 64  # what our own stamp adds to an event
_KINDS = frozenset(Kind)
_STRIPPED = ("run_id", "seq", "timestamp")  # stamped by us


class _Delta(msgspec.Struct, forbid_unknown_fields=True, gc=False, kw_only=True):
    """The shape of nearly every line; told by type, which is faster than looking at a dict."""

    event: Literal["message.delta", "reasoning.delta"]
    timestamp: float = 0.0
    delta: str


class _ClaimLine(msgspec.Struct, forbid_unknown_fields=True):
    claim: Literal["completed", "exception", "start_failed", "interrupted"]
    output: Any = msgspec.UNSET
    error: str | None = None
    usage: Usage | None = None
    kind: str | None = None


_delta = msgspec.json.Decoder(_Delta)
_anything = msgspec.json.Decoder()
_claim = msgspec.json.Decoder(_ClaimLine)
_encoder = msgspec.json.Encoder()
_WRONG = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Refused:
    """A line that was not taken: the event's name as far as it had one, and why."""

    event: str
    why: str


@dataclass(slots=True)
class Taken:
    """What one chunk held: `count` events as JSON lines in `blob`, at most one claim, wishes, and refusals.

    `replies`: to questions that are none. `steered`: guidance by its id, and why it was not taken.
    """

    blob: bytes = b""
    count: int = 0
    claim: Claim | None = None
    kind: str | None = None
    refused: list[Refused] = field(default_factory=list)
    replies: list[Approval] = field(default_factory=list)
    steered: list[tuple[str, str | None]] = field(default_factory=list)
    wishes: list[bytes] = field(default_factory=list)  # lines, not looked at: see `wishes.py`


class Intake:
    """Cuts a stream into lines and checks them. Holds at most `max_event_bytes` of an unfinished line."""

    def __init__(self, max_event_bytes: int, desk: Desk | None = None) -> None:
        """`desk`: where the agent's questions to people go."""
        self._max_event_bytes = max_event_bytes
        self._desk = desk or Desk(1)
        self._partial = b""
        self._skipping = False  # inside a line that is too long

    def feed(self, chunk: bytes, timestamp: float) -> Taken:
        """Take what the agent wrote at `timestamp` (Unix seconds)."""
        taken = Taken()
        whole = self._whole_lines(chunk, taken)
        if whole is not None:
            lines = whole.split(b"\n")
            if not self._take_deltas(lines, timestamp, taken):
                parts = [part for line in lines if (part := self._take_line(line, timestamp, taken))]
                taken.blob, taken.count = b"".join(parts), len(parts)
        return taken

    def unfinished(self) -> bytes:
        """What, fed at the very end, finishes a last line that has no newline; nothing where that is no line."""
        return b""

    def account(self) -> Claim | None:
        """The claim of an agent that makes none itself; None where there is nothing to say for it."""
        return None

    def _whole_lines(self, chunk: bytes, taken: Taken) -> bytes | None:
        """Every line that is whole by now, without the last newline; None if there is none."""
        head, newline, tail = chunk.rpartition(b"\n")
        if not newline:
            self._keep(self._partial + tail, taken)
            return None
        lines: bytes | None = self._partial + head
        if self._skipping:
            self._skipping = False
            _, more, rest = head.partition(b"\n")
            lines = rest if more else None
        self._partial = b""
        self._keep(tail, taken)
        return lines

    def _keep(self, partial: bytes, taken: Taken) -> None:
        if self._skipping:
            return
        if len(partial) > self._max_event_bytes:
            self._skipping, self._partial = True, b""
            taken.refused.append(Refused("", self._too_long()))
        else:
            self._partial = partial

    def _take_deltas(self, lines: list[bytes], timestamp: float, taken: Taken) -> bool:
        """The fast path: every line is a delta of lawful size, or it takes none."""
        try:
            events = list(map(_delta.decode, lines))
        except _WRONG:
            return False
        if max(map(len, lines)) > self._max_event_bytes:
            return False
        for event in events:
            event.timestamp = timestamp
        taken.blob, taken.count = _encoder.encode_lines(events), len(events)
        return True

    def _take_line(self, line: bytes, timestamp: float, taken: Taken) -> bytes | None:
        """Any line; the encoded event if it is one that may go on."""
        try:
            said = _anything.decode(line)
        except _WRONG as error:
            taken.refused.append(Refused("", f"not JSON: {error}"))
            return None
        if isinstance(said, dict) and "claim" not in said:
            if "event" not in said and ("approval" in said or "steered" in said):
                return self._take_for_people(line, said, timestamp, taken)
            if "event" not in said and ("spawn" in said or "stop_child" in said):
                self._take_wish(line, taken)
                return None
            return self._take_event(line, said, timestamp, taken)
        why: str | None = "not a JSON object"
        if isinstance(said, dict):
            why = self._too_long() if len(line) > self._max_event_bytes else _take_claim(line, taken)
        if why is not None:
            taken.refused.append(Refused("", why))
        return None

    def _take_event(self, line: bytes, said: dict[str, Any], timestamp: float, taken: Taken) -> bytes | None:
        event = said.pop("event", None)
        why = why_not(event) or why_too_deep(line, said)
        if why is None:
            encoded = _encoded(event, timestamp, said)
            # Both are measured: some numbers grow when they are written out.
            if len(line) <= self._max_event_bytes and len(encoded) <= self._max_event_bytes + _STAMP_BYTES:
                return encoded
            why = self._too_long()
        taken.refused.append(Refused(event[:_NAME_LONGEST] if isinstance(event, str) else "", why))
        return None

    def _take_for_people(
        self, line: bytes, said: dict[str, Any], timestamp: float, taken: Taken
    ) -> bytes | None:
        if "approval" in said:
            return self._take_question(line, said["approval"], timestamp, taken)
        try:
            steer_id, text, why = self._desk.steered(said)
        except (ValueError, RecursionError) as error:
            taken.refused.append(Refused(STEERED, str(error)))
            return None
        taken.steered.append((steer_id, why))
        return None if text is None else _encoded(STEERED, timestamp, {"input": text})

    def _take_question(self, line: bytes, asked: object, timestamp: float, taken: Taken) -> bytes | None:
        fields = self._desk.ask(asked, timestamp)
        if isinstance(fields, Approval):
            taken.replies.append(fields)
            return None
        encoded = _encoded(ASKED, timestamp, fields)
        why = why_too_deep(line, fields)
        if len(encoded) > min(LONGEST_REQUEST_BYTES, self._max_event_bytes):
            why = "it is too long"
        if why is not None:
            taken.replies.append(self._desk.withdraw(fields["request_id"], why))
            return None
        return encoded

    def _take_wish(self, line: bytes, taken: Taken) -> None:
        if len(line) > self._max_event_bytes:
            taken.refused.append(Refused("", self._too_long()))
        else:
            taken.wishes.append(line)

    def _too_long(self) -> str:
        return f"an event is longer than {self._max_event_bytes} bytes"


def _take_claim(line: bytes, taken: Taken) -> str | None:
    """Why it is none; None once it is taken. The first one counts."""
    try:
        said = _claim.decode(line)
    except _WRONG as error:
        return f"not a claim: {error}"
    why = why_too_deep(line, said.output)
    if why is None and taken.claim is None:
        output = b"" if said.output is msgspec.UNSET else _encoder.encode(said.output)
        taken.claim = Claim(kind=said.claim, output=output, error=said.error, usage=said.usage)
        taken.kind = said.kind if said.kind in _KINDS else None
    return why


def _encoded(event: str, timestamp: float, fields: dict[str, Any]) -> bytes:
    for key in _STRIPPED:
        fields.pop(key, None)
    return _encoder.encode({"event": event, "timestamp": timestamp, **fields}) + b"\n"


def why_not(name: object) -> str | None:
    """Why an agent may not emit an event of this name; None if it may."""
    if not isinstance(name, str):
        return "an event needs a name: a string under the key 'event'"
    if len(name) > _NAME_LONGEST or _NAME.fullmatch(name) is None:
        return "an event's name is dotted and lower case, like 'tool.started'"
    if name.startswith(OWNED):
        return "names that begin with run., stream. or approval. belong to the runtime"
    return None


def why_too_deep(line: bytes, value: object) -> str | None:
    """Why it nests too deep to go on, if it does: others read it with less stack to spare than there is here."""
    if line.count(b"[") + line.count(b"{") <= DEEPEST:
        return None
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return None
    return f"it is nested deeper than {DEEPEST}"


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


class _Lawful(msgspec.Struct, gc=False):
    """What every line of a batch has, and what none may have, since it would hide what we stamp."""

    event: str
    timestamp: float
    run_id: msgspec.UnsetType = msgspec.UNSET
    seq: msgspec.UnsetType = msgspec.UNSET


_lawful = msgspec.json.Decoder(_Lawful)


def lawful(blob: bytes, count: int) -> bool:
    """Whether a batch is what `Intake` makes: `count` lines, each an event that an agent may emit.

    The supervisor asks this again, because a warden that was taken over must not forge a run's end. Each line is
    looked at by itself: values that are counted over several lines can hide one that is a line of its own.
    """
    if b"\r" in blob or not blob.endswith(b"\n"):
        return False
    lines = blob.split(b"\n")
    lines.pop()
    try:
        blob.decode()
        names = {_lawful.decode(line).event for line in lines}
        questions(blob)
    except _WRONG:
        return False
    opened = all(line.startswith(b'{"event":') for line in lines)
    return len(lines) == count and opened and all(why_not(name) is None for name in names - WARDENS)
