"""What is said to a `command` agent and what it may say: JSON lines, like every agent's, but no claim of its end.

A program speaks for itself by its exit code; what it says beside events is its result. No I/O, no clock.
"""

from typing import Any

import msgspec

from ..config.sections import AgentSpec
from .desk import Desk
from .intake import LONGEST_JOINED, Intake, Refused, Taken, why_too_deep
from .messages.from_run import Claim
from .messages.with_agent import Start
from .records import RunInput, Usage


class StartCommand(msgspec.Struct, frozen=True, kw_only=True, tag_field="control", tag="start"):
    """The first line that the program reads."""

    run_id: str
    input: str
    history: list[dict[str, Any]]
    instructions: str | None
    session_id: str
    model: str | None
    metadata: dict[str, str]
    options: dict[str, Any]


#: How that line begins, before which no program is started.
FIRST_BYTES = b'{"control":"start"'


def start_for(spec: AgentSpec, run_id: str, given: RunInput) -> Start | StartCommand:
    """What the agent of this run is told first, in the words of its kind."""
    if not spec.command:
        return Start(given)
    return StartCommand(
        run_id=run_id,
        input=given.input,
        history=given.history,
        instructions=given.instructions,
        session_id=given.session_id or run_id,
        model=given.model,
        metadata=given.metadata,
        options=spec.options,
    )


class _ResultLine(msgspec.Struct, forbid_unknown_fields=True):
    output: Any
    usage: Usage | None = None


class _Spoken(msgspec.Struct, gc=False):
    """An event, as far as it matters here."""

    event: str
    delta: Any = None


_result = msgspec.json.Decoder(_ResultLine)
_spoken = msgspec.json.Decoder(_Spoken)
_encode = msgspec.json.Encoder().encode


class CommandIntake(Intake):
    """Takes `{"output": …, "usage"?: …}` besides, of which the last counts; without one, the deltas joined."""

    def __init__(self, max_event_bytes: int, desk: Desk | None = None) -> None:
        super().__init__(max_event_bytes, desk)
        self._result: _ResultLine | None = None
        self._deltas: list[str] | None = []
        self._length = 0

    def feed(self, chunk: bytes, timestamp: float) -> Taken:
        """As `Intake.feed`. The only claim that counts is our own, that the program could not be started."""
        taken = super().feed(chunk, timestamp)
        if self._deltas is not None and taken.count:
            self._note_deltas(taken.blob)
        if taken.claim is not None and taken.claim.kind != "start_failed":
            taken.claim = None
            taken.refused.append(Refused("", "a program says how it ended by its exit code, not by a claim"))
        return taken

    def unfinished(self) -> bytes:
        """Many a program ends without a newline."""
        return b"\n" if self._partial else b""

    def account(self) -> Claim:
        """What it has made so far; how it ended is for its exit code to say."""
        if self._result is not None:
            output = b"" if self._result.output is None else _encode(self._result.output)
            return Claim(kind="completed", output=output, usage=self._result.usage)
        joined = _encode("".join(self._deltas)) if self._deltas else b""
        return Claim(kind="completed", output=joined if len(joined) <= self._max_event_bytes else b"")

    def _take_event(self, line: bytes, said: dict[str, Any], timestamp: float, taken: Taken) -> bytes | None:
        if "output" not in said or "event" in said:
            return super()._take_event(line, said, timestamp, taken)
        why = self._too_long() if len(line) > self._max_event_bytes else self._take_result(line)
        if why is not None:
            taken.refused.append(Refused("", why))
        return None

    def _take_result(self, line: bytes) -> str | None:
        try:
            result = _result.decode(line)
        except (msgspec.MsgspecError, RecursionError) as error:
            return f"not a result: {error}"
        why = why_too_deep(line, result.output)
        if why is None:
            self._result, self._deltas = result, None
        return why

    def _note_deltas(self, blob: bytes) -> None:
        """Note the deltas of these events, until there are too many to be an output."""
        assert self._deltas is not None
        for line in blob.splitlines():
            said = _spoken.decode(line)
            if said.event == "message.delta" and isinstance(said.delta, str) and said.delta:
                self._deltas.append(said.delta)
                self._length += len(said.delta)
        if self._length > LONGEST_JOINED:
            self._deltas = None


def intake_for(spec: AgentSpec, max_event_bytes: int, desk: Desk | None = None) -> Intake:
    """What takes in the words of this agent's kind."""
    return (CommandIntake if spec.command else Intake)(max_event_bytes, desk)
