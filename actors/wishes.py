"""What an agent asks of the runtime beside its events: child runs. Lines in, checked wishes out. Pure.

`{"spawn": KEY, "agent": …, "input": …, …}` asks for a run; KEY is the agent's own, for the answer to bear.
`{"stop_child": RUN_ID}` asks for the end of one that it was given. Nothing here is believed: what a wish may lead to,
the supervisor decides.
"""

from typing import Annotated, Any

import msgspec

from .intake import why_too_deep
from .messages.with_agent import ChildRefused
from .records import RunInput

REFUSED = "invalid_value"

_Key = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
_METADATA_BYTES = 16_384


class SpawnWish(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A child run: whose, with what input, and what it may use at most."""

    spawn: _Key
    agent: _Name
    input: Annotated[str, msgspec.Meta(min_length=1)]
    history: list[dict[str, Any]] = []
    instructions: str | None = None
    session_id: _Name | None = None
    model: str | None = None
    metadata: dict[str, str] = {}
    limits: dict[str, float] = {}

    def given(self) -> RunInput:
        """What the child is given."""
        return RunInput(
            input=self.input,
            history=self.history,
            instructions=self.instructions,
            session_id=self.session_id,
            model=self.model,
            metadata=self.metadata,
        )


class StopWish(msgspec.Struct, forbid_unknown_fields=True):
    """The end of a child."""

    stop_child: _Name


class _Keyed(msgspec.Struct):
    spawn: _Key


_spawn = msgspec.json.Decoder(SpawnWish)
_stop = msgspec.json.Decoder(StopWish)
_keyed = msgspec.json.Decoder(_Keyed)
_UNENCODABLE = (OverflowError, RecursionError, UnicodeEncodeError)  # such as numbers that 64 bits can't hold
_WRONG = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def read(line: bytes) -> SpawnWish | StopWish | ChildRefused | str:
    """The wish; or the answer that it is none; or why not, where there is no key to answer under."""
    try:
        wish: SpawnWish | StopWish = _spawn.decode(line)
    except _WRONG as error:
        return _read_stop(line, error)
    assert isinstance(wish, SpawnWish)
    why = why_too_deep(line, wish.history) or _why_not_sent(wish)
    return wish if why is None else ChildRefused(wish.spawn, REFUSED, why)


def _why_not_sent(wish: SpawnWish) -> str | None:
    if len(msgspec.json.encode(wish.metadata)) > _METADATA_BYTES:
        return f"'metadata' is larger than {_METADATA_BYTES} bytes"
    try:
        msgspec.msgpack.encode(wish)
    except _UNENCODABLE as error:
        return f"it can't be passed on: {error}"
    return None


def _read_stop(line: bytes, spawn_error: Exception) -> StopWish | ChildRefused | str:
    try:
        return _stop.decode(line)
    except _WRONG:
        pass
    try:
        key = _keyed.decode(line).spawn
    except _WRONG:
        return f"neither a spawn nor a stop_child: {spawn_error}"
    return ChildRefused(key, REFUSED, str(spawn_error))
