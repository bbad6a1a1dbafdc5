"""Programs that do not want to end. Each is bounded by itself: in processes, and in seconds by an alarm.

Each is called in the process that a warden forked for it, calls `ready` once it is as bad as it gets, and need not
return. Whatever it forks holds the warden's pipe, so that the pipe's end proves the end of all.
"""

import os
import signal
import threading
import time
from collections.abc import Callable

LONGEST_S = 10  # should all else fail
LINKS = 20  # of a chain, before it is said to run
BUSY_S = 3.0  # for what forks for ever
MOST_PROCESSES = 100

Ready = Callable[[], None]
Program = Callable[[Ready], None]


def pauses(ready: Ready) -> None:
    """The plainest."""
    ready()
    _for_ever()


def ignores(ready: Ready) -> None:
    """Deaf to every signal that can be ignored."""
    _ignore_all()
    ready()
    _for_ever()


def blocks(ready: Ready) -> None:
    """Every signal that can be blocked is."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    ready()
    _for_ever()


def spins(ready: Ready) -> None:
    """Never lets go of the processor."""
    ready()
    while True:
        pass


def stops(ready: Ready) -> None:
    """Is stopped, as by ctrl-Z, with a child that is stopped too."""
    if os.fork() == 0:
        _begin()
    ready()
    os.kill(os.getpid(), signal.SIGSTOP)
    _for_ever()


def threads(ready: Ready) -> None:
    """Has twenty threads."""
    for _ in range(20):
        threading.Thread(target=_for_ever, daemon=True).start()
    ready()
    _for_ever()


def executes(ready: Ready) -> None:
    """Becomes another program, and leaves one behind in another session."""
    if os.fork() == 0:
        os.setsid()
        os.execv("/bin/sleep", ["sleep", str(LONGEST_S)])
    ready()
    os.execv("/bin/sleep", ["sleep", str(LONGEST_S)])


def daemons(ready: Ready) -> None:
    """Five daemons by the book: forked twice, in sessions of their own, deaf."""
    _five_daemons()
    ready()
    _for_ever()


def orphans(ready: Ready) -> None:
    """The same, and their parent is gone."""
    _five_daemons()
    ready()


def deep(ready: Ready) -> None:
    """Thirty generations, each the parent of the next."""
    for _ in range(30):
        if os.fork() != 0:
            _for_ever()
        _begin()
    ready()
    _for_ever()


def chain(ready: Ready) -> None:
    """A process that forks itself on and exits, for ever: whoever looks for it finds who it was."""
    _run_on(_end_of_busy(), ready)


def chains(ready: Ready) -> None:
    """Four of them."""
    end = _end_of_busy()
    for _ in range(3):
        if os.fork() == 0:
            _run_on(end, lambda: None)
    _run_on(end, ready)


def bomb(ready: Ready) -> None:
    """Everyone forks as long as there is room, and again as soon as somebody died."""
    end, room = _end_of_busy(), _Room(MOST_PROCESSES - 1)
    told = False
    while time.monotonic() < end:
        if room.take():
            if os.fork() == 0:
                _begin()
                os.setsid()
                told = True
        else:
            if not told:
                ready()
                told = True
            room.give_back_the_dead()
    if not told:  # the machine is too busy for a real one
        ready()


def mix(ready: Ready) -> None:
    """Deaf daemons, stopped ones, chains and a small bomb at once."""
    _five_daemons()
    for program in (stops, chains, ignores, executes):
        if os.fork() == 0:
            _begin()
            program(lambda: None)
            os._exit(0)
    bomb(ready)


def kills_all(ready: Ready) -> None:
    """Kills whatever it may, its warden not least. Only in a pid namespace, which must be its own."""
    assert _namespaces_deep() > 1, "kill(-1) here would end the machine's processes"
    for _ in range(3):
        if os.fork() == 0:
            _begin()
            _for_ever()
    os.kill(1, signal.SIGKILL)
    os.kill(-1, signal.SIGKILL)  # all but the namespace's init and the caller (kill(2))
    ready()
    _for_ever()


# ── parts ───────────────────────────────────────────────────────────────────────────────────────


class _Room:
    """Room for so many processes, shared by all that are forked: a byte in a pipe for each."""

    def __init__(self, size: int) -> None:
        self._reads, self._writes = os.pipe2(os.O_NONBLOCK)
        os.write(self._writes, b"x" * size)

    def take(self) -> bool:
        try:
            return os.read(self._reads, 1) == b"x"
        except BlockingIOError:
            return False

    def give_back_the_dead(self) -> None:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                os.write(self._writes, b"x")
        except ChildProcessError:
            pass
        os.sched_yield()


def _begin() -> None:
    """In every new process."""
    signal.alarm(LONGEST_S)


def _for_ever() -> None:
    while True:
        time.sleep(LONGEST_S)


def _ignore_all() -> None:
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGALRM}:
        _attempt(lambda number=number: signal.signal(number, signal.SIG_IGN))  # type: ignore[misc]


def _five_daemons() -> None:
    for _ in range(5):
        pid = os.fork()
        if pid == 0:
            os.setsid()
            if os.fork() == 0:
                _begin()
                _ignore_all()
                _for_ever()
            os._exit(0)
        os.waitpid(pid, 0)


def _namespaces_deep() -> int:
    with open("/proc/self/status") as status:
        pids = next(line for line in status if line.startswith("NSpid:"))
    return len(pids.split()) - 1


def _end_of_busy() -> float:
    return time.monotonic() + BUSY_S


def _run_on(end: float, ready: Ready) -> None:
    links = 0
    while links < LINKS or time.monotonic() < end:  # on a busy machine these alone may take longer
        if os.fork() != 0:
            os._exit(0)
        os.setsid()
        links += 1
        if links == LINKS:
            ready()
    os._exit(0)


def _attempt(deed: Callable[[], object]) -> None:
    try:
        deed()
    except (OSError, ValueError):
        pass
