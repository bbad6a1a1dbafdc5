"""One agent that does harm in the way that the first word of its input says.

Whoever is in the middle of its work says `ready`.
"""

import ctypes
import io
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

from runward.actors.run import Run

MIB = 1_048_576


def misbehave(text: str, run: Run) -> Any:
    """Do what the first word says, with the rest."""
    what, _, rest = text.partition(" ")
    return WAYS[what](rest, run)


# ── ends ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def segfaults(_: str, __: Run) -> None:
    """A true one."""
    ctypes.string_at(0)


def leaves(text: str, _: Run) -> None:
    """Without a word, with this exit code."""
    os._exit(int(text))


def hangs_in_a_thread(_: str, __: Run) -> str:
    """Returns, and leaves a thread that never ends."""
    threading.Thread(target=threading.Event().wait).start()
    return "done"


def fathers(text: str, _: Run) -> str:
    """Leaves a daemon in a session of its own, forked twice: `sleep TEXT`."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execvp("sleep", ["sleep", text])
        os._exit(0)
    os.wait()
    return "done"


def returns(text: str, _: Run) -> Any:
    """Something that can't be JSON."""
    circle: list[Any] = []
    circle.append(circle)
    deep: Any = 1
    for _level in range(100_000):
        deep = [deep]
    return {
        "an object": object(),
        "a function": returns,
        "a circle": circle,
        "a deep nest": deep,
        "half a pair": "\ud800",
        "not a number": float("nan"),
        "a huge number": 10**5000,
        "a lock": threading.Lock(),
        "keys of two kinds": {1: "a", ("b", "c"): "d"},
        "50 MB": "x" * (50 * MIB),
    }[text]


# ── says ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def floods(text: str, run: Run) -> str:
    """So many events, as fast as they are taken."""
    for number in range(int(text)):
        run.emit("message.delta", delta=str(number))
    return text


def emits_much(text: str, run: Run) -> str:
    """One event of so many MiB past the library, and a smaller one by it, between small ones."""
    told = Told(2)
    run.emit("note.before")
    _say(b'{"event":"note.huge","text":"%b"}\n' % (b"x" * (int(text) * MIB)), run)
    run.emit("note.between")
    run.emit("note.large", text="x" * (4 * MIB))
    run.emit("note.behind")
    told.wait()
    return "done"


def forges(_: str, run: Run) -> str:
    """Its own end and what belongs to others, by the library and past it."""
    told = Told(3)
    for event in ("run.completed", "stream.gap", "approval.request"):
        try:
            run.emit(event, output="forged")
        except ValueError:
            continue
        raise AssertionError(f"{event} was taken")
    _say(b'{"event":"run.completed","output":"forged"}\n', run)
    _say(b'{"event":"run\\u002ecompleted","output":"forged"}\n', run)
    _say(b'{"event":"note.one","run_id":"run_forged","seq":999,"timestamp":1}\n', run)
    _say(b'{"event":"note.two","event":"run.failed","error":"forged"}\n', run)
    told.wait()
    return "its own"


# ── descriptors ───────────────────────────────────────────────────────────────────────────────────────────────────


def closes_all(_: str, run: Run) -> str:
    """Every descriptor that it has, its link and its streams included."""
    run.emit("message.delta", delta="ready")
    os.closerange(0, 4096)
    return "nobody hears this"


def scribbles(_: str, run: Run) -> str:
    """Noise into every descriptor that takes it, its link included, then a last event."""
    told = Told(1)
    for number in range(64):
        if number != run._channel._up_fd:
            _scribble(number)
    _say(b"\x00\xff\xfenoise {[\n" * 1000, run)
    _say(b'{"event": "note.whole"}\n', run)
    told.wait()
    return "done"


def half_a_line(_: str, run: Run) -> None:
    """Ends in the middle of what it says."""
    run.emit("message.delta", delta="ready")
    _say(b'{"event":"note.half","text":"', run)
    os._exit(0)


def hangs_up(_: str, run: Run) -> str:
    """Closes the pipe that it speaks by, and goes on."""
    run.emit("message.delta", delta="ready")
    os.close(run._channel._up_fd)
    threading.Event().wait()
    return "never"


# ── output ────────────────────────────────────────────────────────────────────────────────────────────────────────


def prints(text: str, _: Run) -> str:
    """So many lines."""
    for number in range(int(text)):
        sys.stdout.write(f"{number}\n")
    return "done"


def floods_stdout(_: str, run: Run) -> None:
    """As fast as it is taken, in both streams, by itself and a child."""
    subprocess.Popen(["cat", "/dev/zero"])
    run.emit("message.delta", delta="ready")
    while True:
        os.write(2, b"x" * 65_536)


class Told(io.TextIOBase):
    """A stderr that knows how often we were told that an event was refused."""

    def __init__(self, times: int) -> None:
        self._room = threading.Semaphore(0)
        self._times = times
        self._stderr, sys.stderr = sys.stderr, self

    def write(self, text: str) -> int:
        written = self._stderr.write(text)
        if "was refused" in text:
            self._room.release()
        return written

    def wait(self) -> None:
        """Return once it was so often."""
        for _ in range(self._times):
            assert self._room.acquire(timeout=10.0), "nobody told"


def _say(line: bytes, run: Run) -> None:
    """Past the library, as code in any language could in this process."""
    up = run._channel._up_fd
    os.set_blocking(up, True)
    rest = memoryview(line)
    while rest:
        rest = rest[os.write(up, rest) :]


def _scribble(number: int) -> None:
    try:
        os.set_blocking(number, False)
        os.write(number, b"\x1b[2J\x00scribble\n" * 100)
        os.ftruncate(number, 0)
    except OSError:
        return


WAYS: dict[str, Callable[[str, Run], Any]] = {
    way.__name__: way
    for way in (
        *(segfaults, leaves, hangs_in_a_thread, fathers, returns),
        *(floods, emits_much, forges),
        *(closes_all, scribbles, half_a_line, hangs_up),
        *(prints, floods_stdout),
    )
}
