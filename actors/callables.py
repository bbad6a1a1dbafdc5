"""An operator's callable as bytes, and back: the only place that unpickles; see docs/decisions/0007-callables.md.

Packed in the process that embeds a server, unpacked in the agent's process, inside the walls; between the two it is
bytes that nobody looks into. Nothing that comes from an agent, or over HTTP, ever comes here.
"""

import os
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

import dill
import msgspec

from .errors import RunwardError


class NotShippable(RunwardError, TypeError):
    """A callable, or what it refers to, can't be made bytes; the cause is chained."""


_packing = threading.Lock()  # the filters of warnings are the whole process's


class _Parcel(msgspec.Struct, frozen=True):
    pickled: bytes
    path: list[str]  # where the sender finds modules: what can be imported there travels as a name only


def packed(target: Callable[..., Any]) -> bytes:
    """The callable as bytes: by name if a module that can be imported has it, else with all that it refers to.

    Raises NotShippable. Globals that it uses are copied as they are now.
    """
    try:
        with _packing, warnings.catch_warnings():
            # It warns where it would leave out what the other side can't find: an Enum of a notebook's own.
            warnings.simplefilter("error", dill.PicklingWarning)
            # `recurse`: of a notebook's globals only those that it uses.
            pickled: bytes = dill.dumps(target, recurse=True)
    except Exception as error:  # an object's own __reduce__ may raise anything
        name = getattr(target, "__qualname__", type(target).__qualname__)
        raise NotShippable(f"{name} can't be shipped to another process: {error}") from error
    return msgspec.msgpack.encode(_Parcel(pickled, module_path()))


def unpacked(parcel: bytes) -> Any:
    """The callable. Runs what its pickle says, so call it inside the walls only; may raise anything."""
    sent = msgspec.msgpack.decode(parcel, type=_Parcel)
    sys.path += [folder for folder in sent.path if folder not in sys.path]
    return dill.loads(sent.pickled)  # noqa: S301  # the operator's own, as trusted as a module of his


def module_path() -> list[str]:
    """`sys.path` with absolute paths: the empty one is the current folder, which is another in each process."""
    return [os.path.abspath(folder) for folder in sys.path]
