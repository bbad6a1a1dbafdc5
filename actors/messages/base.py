"""What all messages are."""

from typing import Literal

import msgspec

StopMode = Literal["interrupt", "terminate", "kill"]


class Message(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A checked tuple: ["tag", field, …]. A wrong arity or type is a `BadMessage`, never a guess."""
