"""Messages to bytes and back. It alone knows that they are msgpack; nothing is ever unpickled.

One decoder per direction, so that a peer can only say what its direction allows. Decoding checks every type;
what does not fit is `BadMessage`.
"""

from typing import Any, Generic, TypeVar

import msgspec

from . import messages
from .errors import BadMessage

T = TypeVar("T")

_encoder = msgspec.msgpack.Encoder()
encode = _encoder.encode


class Direction(Generic[T]):
    """Decodes the closed set of one direction. Safe on any bytes; never blocks."""

    def __init__(self, name: str, union: Any) -> None:
        self.name = name
        self._decoder: msgspec.msgpack.Decoder[T] = msgspec.msgpack.Decoder(union)

    def decode(self, body: bytes | memoryview) -> T:
        """The message in `body`; raises `BadMessage`, with the cause, on anything else."""
        try:
            return self._decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError) as error:
            raise BadMessage(self.name, bytes(body[:80])) from error


to_supervisor: Direction[messages.ToSupervisor] = Direction(
    "from facade to supervisor", messages.ToSupervisor
)
from_supervisor: Direction[messages.FromSupervisor] = Direction(
    "from supervisor to facade", messages.FromSupervisor
)
from_run: Direction[messages.FromRun] = Direction("from warden to supervisor", messages.FromRun)
to_run: Direction[messages.ToRun] = Direction("from supervisor to warden", messages.ToRun)
feed: Direction[messages.OnFeed] = Direction("on the feed", messages.OnFeed)
to_zygote: Direction[messages.ToZygote] = Direction("from supervisor to zygote", messages.ToZygote)
from_zygote: Direction[messages.FromZygote] = Direction("from zygote to supervisor", messages.FromZygote)
to_role: Direction[messages.ToRole] = Direction("from root", messages.ToRole)
from_role: Direction[messages.FromRole] = Direction("to root", messages.FromRole)
