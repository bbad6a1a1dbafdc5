"""Messages to bytes and back. It alone knows that they are msgpack; nothing is ever unpickled.

One decoder per direction, so that a peer can only say what its direction allows. Decoding checks every type;
what does not fit is `BadMessage`.
"""

from typing import Any, Generic, TypeVar

import msgspec

from .errors import BadMessage
from .messages.answers import FromSupervisor
from .messages.commands import ToSupervisor
from .messages.feed import OnFeed
from .messages.from_run import FromRun
from .messages.to_run import ToRun
from .messages.with_root import FromRole, ToRole
from .messages.with_zygote import FromZygote, ToZygote

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


to_supervisor: Direction[ToSupervisor] = Direction("from facade to supervisor", ToSupervisor)
from_supervisor: Direction[FromSupervisor] = Direction("from supervisor to facade", FromSupervisor)
from_run: Direction[FromRun] = Direction("from warden to supervisor", FromRun)
to_run: Direction[ToRun] = Direction("from supervisor to warden", ToRun)
feed: Direction[OnFeed] = Direction("on the feed", OnFeed)
to_zygote: Direction[ToZygote] = Direction("from supervisor to zygote", ToZygote)
from_zygote: Direction[FromZygote] = Direction("from zygote to supervisor", FromZygote)
to_role: Direction[ToRole] = Direction("from root", ToRole)
from_role: Direction[FromRole] = Direction("to root", FromRole)
