"""Every process notes what it writes to and flushes of one file, the supervisor what it journals and tells, in order.

The first is `programs/flushes.c`, compiled to `flushes.so` in this Python's own folder, from where the notes go to
`flushes.log`. A library can only be put before the C library at the start of a process, so each starts over once; our
processes clean their environment, so what they start has to do the same.
"""

import os
import sys

LIBRARY, LOG = f"{sys.prefix}/flushes.so", f"{sys.prefix}/flushes.log"

with open("/proc/self/maps") as maps:
    if LIBRARY not in maps.read():
        os.execve(sys.executable, sys.orig_argv, os.environ | {"LD_PRELOAD": LIBRARY})

import msgspec  # noqa: E402 - only where it is wanted

from runward.actors import mailbox  # noqa: E402
from runward.actors.journal.writer import Writer  # noqa: E402

_publish, _send, _append = mailbox.Feed.publish, mailbox.Inbox.send, Writer.append


def note(line: str) -> None:
    """One line, whole: O_APPEND."""
    log = os.open(LOG, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    os.write(log, f"{line}\n".encode())
    os.close(log)


def publish(self: mailbox.Feed, topic: bytes, *frames: bytes) -> None:
    """In place of `Feed.publish`: of events of runs their first and how many."""
    if topic.startswith(b"run_"):
        *_, first, count, _ = msgspec.msgpack.decode(frames[0])
        note(f"published {topic.decode()} {first} {count}")
    _publish(self, topic, *frames)


def send(self: mailbox.Inbox, route: bytes, body: bytes) -> bool:
    """In place of `Inbox.send`: an answer, an acknowledgement, a word to a warden."""
    note("told")
    return _send(self, route, body)


def append(self: Writer, key: int, first: int, last: int, blob: bytes) -> None:
    """In place of `Writer.append`: what the next commit is to make safe."""
    note(f"appended {first} {last - first + 1}")
    _append(self, key, first, last, blob)


mailbox.Feed.publish, mailbox.Inbox.send = publish, send  # type: ignore[method-assign]
Writer.append = append  # type: ignore[method-assign]
