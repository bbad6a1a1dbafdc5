"""The agents that come with the server: one works, one is slow, three misbehave on purpose."""

import faulthandler
import itertools
import os
import signal
from collections.abc import Callable, Iterator

from .run import Run

_MIB = 2**20


def echo(text: str) -> Iterator[str]:
    """Answer with the input: in one delta, or in at most nine where it is long."""
    size = max(64, len(text) // 8)
    while len(text) > size:
        cut = text.rfind(" ", 1, size) + 1 or size
        yield text[:cut]
        text = text[cut:]
    yield text


def count(text: str, run: Run, interval_s: float = 1.0) -> Iterator[str]:
    """Count to the input, or for ever where it is no number, one message after another."""
    last = int(text) if text.strip().isdecimal() else None
    for number in itertools.count(1) if last is None else range(1, last + 1):
        yield f"{number}\n"
        if number != last and run.interrupted.wait(interval_s):
            return


def crash(text: str) -> None:
    """Die in the way the input names: exception, exit, abort, kill; a segmentation fault for any other."""
    _DEATHS.get(text.strip().lower(), _segfault)()


def spin(_: str, run: Run) -> None:
    """Burn a CPU in C code that never lets go of the GIL, deaf to every request; only a kill ends it."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    run.emit("message.delta", delta="spinning\n")
    while True:
        try:
            sum(itertools.repeat(0))
        except KeyboardInterrupt:  # Interrupted is one
            continue


def hog(text: str, run: Run) -> Iterator[str]:
    """Take as many MiB as the input says (else 512), touch every page, and hold them until interrupted."""
    wanted = int(text) if text.strip().isdecimal() else 512
    held = []
    for _ in range(wanted):
        held.append(bytearray(b"\1") * _MIB)
        if run.interrupted.is_set():
            return
    yield f"holding {len(held)} MiB\n"
    run.interrupted.wait()


def _segfault() -> None:
    faulthandler._read_null()  # type: ignore[attr-defined]  # a true fault, not a signal sent to oneself


def _raise() -> None:
    raise RuntimeError("crashed, as asked")


def _exit() -> None:
    os._exit(3)


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


_DEATHS: dict[str, Callable[[], None]] = {
    "segfault": _segfault,
    "exception": _raise,
    "exit": _exit,
    "abort": os.abort,
    "kill": _kill,
}
