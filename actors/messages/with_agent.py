"""Warden ↔ agent: JSON lines, up a pipe and down a socket. What comes up is untrusted."""

from typing import Any

import msgspec

from ..records import Choice, RunInput, Usage


class Start(msgspec.Struct, frozen=True, tag_field="control", tag="start"):
    """The input; import the entrypoint now."""

    given: RunInput


class Interrupt(msgspec.Struct, frozen=True, tag_field="control", tag="interrupt"):
    """The user wishes the run to end."""

    message: str


class EventRefused(msgspec.Struct, frozen=True, tag_field="control", tag="refused"):
    """An event was not taken, and why."""

    event: str
    why: str


class Approval(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="control", tag="approval"
):
    """The answer to a request; `id` is what the agent called it. `error`: it was none, and nobody was asked."""

    choice: Choice
    id: str | None = None
    request_id: str | None = None
    note: str | None = None
    timed_out: bool = False
    error: str | None = None


class Guidance(msgspec.Struct, frozen=True, tag_field="control", tag="steer"):
    """What a person tells the agent unasked. The agent answers with a line `{"steered": id}`.

    `until`: seconds of CLOCK_MONOTONIC after which nobody waits for that, and it is to be dropped.
    """

    id: str
    text: str
    until: float


class ChildStarted(msgspec.Struct, frozen=True, tag_field="control", tag="spawned"):
    """The run that was asked for under this key is in the journal, and will reach exactly one end."""

    key: str
    run_id: str


class ChildRefused(msgspec.Struct, frozen=True, tag_field="control", tag="spawn_refused"):
    """No run came of what was asked for under this key, and why."""

    key: str
    code: str
    why: str


class ChildEnded(msgspec.Struct, frozen=True, tag_field="control", tag="child_ended"):
    """A child has ended. `output` is its JSON value."""

    run_id: str
    status: str
    reason: str | None
    output: msgspec.Raw
    error: str | None
    usage: Usage


ToAgent = Start | Interrupt | EventRefused | Approval | Guidance | ChildStarted | ChildRefused | ChildEnded

#: A line of an agent: `{"event": "dotted.name", …}` is an event; `{"claim": …}` is its own account of its end;
#: `{"approval": …}` asks a person; `{"steered": …}` answers guidance (see `desk.py`);
#: `{"spawn": …}` and `{"stop_child": …}` are wishes (`wishes.py`).
AgentLine = dict[str, Any]
