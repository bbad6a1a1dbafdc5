"""What a process gives the server that it embeds: settings, key and callables, in memory that only the two hold.

Light on purpose: `serve` reads it before anything else is loaded.
"""

import os
from typing import Any

import msgspec


class Embedding(msgspec.Struct, frozen=True, kw_only=True):
    """For `runward serve --embedded FD`. Its secrets are in no argument, environment or file."""

    key: str  # an operator's
    settings: dict[
        str, Any
    ]  # over those of the configuration file, as flags: a section, or a dotted key → value
    callables: dict[str, bytes]  # agent → see `callables.packed`
    owner_fd: int  # pidfd of the process that embeds; the server ends with it
    folder: str = ""  # to be removed when the server has ended


def send(embedding: Embedding) -> int:
    """A descriptor to hand down that holds it. Never blocks, however large a callable is. The caller closes it."""
    descriptor = os.memfd_create("runward-embedding", os.MFD_CLOEXEC)
    with open(descriptor, "wb", closefd=False) as file:
        file.write(msgspec.msgpack.encode(embedding))
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def receive(descriptor: int) -> Embedding:
    """What was handed down; closes the descriptor. Raises ValueError for anything else."""
    try:
        with open(descriptor, "rb") as file:
            embedding = msgspec.msgpack.decode(file.read(), type=Embedding)
    except (OSError, msgspec.MsgspecError) as error:
        raise ValueError("--embedded is only for servers that another process embeds") from error
    os.set_inheritable(embedding.owner_fd, False)
    return embedding
