"""One agent that takes what there is until it gets no more, and says how much that was. Bounded by itself, too."""

import errno
import mmap
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runward.actors.run import Run

STEP_BYTES = 1 << 22
MOST_STEPS = 128  # half a gigabyte
CACHED_STEPS = 48
MOST_PROCESSES = 100


def fill(text: str, run: Run) -> Any:
    """Do what the first word says, with the rest."""
    what, _, rest = text.partition(" ")
    return WAYS[what](rest, run)


def heap(_: str, __: Run) -> int:
    taken = [b"x" * STEP_BYTES for _ in range(MOST_STEPS)]
    return len(taken) * STEP_BYTES


def slowly(text: str, _: Run) -> int:
    """As much as TEXT says, in steps with time between them."""
    taken: list[bytes] = []
    while len(taken) * STEP_BYTES < int(text):
        taken.append(b"x" * STEP_BYTES)
        time.sleep(0.001)
    return len(taken) * STEP_BYTES


def shared_memory(_: str, __: Run) -> int:
    """Of nobody's own."""
    taken = []
    for _step in range(MOST_STEPS):
        taken.append(mmap.mmap(-1, STEP_BYTES))
        taken[-1].write(b"x" * STEP_BYTES)
    return len(taken) * STEP_BYTES


def memory_files(_: str, __: Run) -> int:
    """In files that have no name and are in no file system (memfd_create(2)), and that nobody maps."""
    taken = [os.memfd_create("taken") for _ in range(MOST_STEPS)]
    return sum(os.write(file, b"x" * STEP_BYTES) for file in taken)


def page_cache(_: str, __: Run) -> int:
    """By writing a file to disk and reading it again: the kernel keeps what it can of that."""
    with open("large", "wb+", buffering=0) as file:
        for _step in range(CACHED_STEPS):
            file.write(b"x" * STEP_BYTES)
        file.seek(0)
        read = sum(len(file.read(STEP_BYTES)) for _ in range(CACHED_STEPS))
    os.unlink("large")
    return read


def the_disk(_: str, run: Run) -> list[Any]:
    """With one file after another in the work folder: how much there was room for, and what is said then."""
    size, said = 0, 0
    try:
        for number in range(MOST_STEPS):
            with open(f"{run.work_folder}/{number}", "wb", buffering=0) as file:
                size += file.write(b"x" * STEP_BYTES)
    except OSError as error:
        said = error.errno or 0
    return [size, said]


def many_small(_: str, __: Run) -> None:
    """In children, none of which takes much."""
    for _child in range(20):
        if os.fork() == 0:
            signal.alarm(30)
            taken = b"x" * (4 * STEP_BYTES)
            while taken:
                time.sleep(1)
    time.sleep(30)


def a_child(_: str, __: Run) -> int:
    """A child takes all; how it ended."""
    pid = os.fork()
    if pid == 0:
        heap("", None)  # type: ignore[arg-type]
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def processes(_: str, __: Run) -> int:
    """How many there can be, this one too."""
    count = 1
    while count < MOST_PROCESSES:
        try:
            pid = os.fork()
        except BlockingIOError:
            return count
        if pid == 0:
            signal.alarm(20)
            while True:
                signal.pause()
        count += 1
    return count


def threads(_: str, __: Run) -> int:
    """How many can be started."""
    end = threading.Event()
    count = 0
    try:
        for count in range(MOST_PROCESSES):  # noqa: B007
            threading.Thread(target=end.wait, daemon=True).start()
    except RuntimeError:
        pass
    end.set()
    return count


def descriptors(_: str, __: Run) -> int:
    """The number of the highest that can be opened, and one more."""
    taken: list[int] = []
    while len(taken) < 10_000:
        try:
            taken.append(os.open("/dev/null", os.O_RDONLY))
        except OSError as error:
            if error.errno != errno.EMFILE:
                raise
            break
    highest = max(taken)
    for descriptor in taken:
        os.close(descriptor)
    return highest + 1


def a_file(_: str, __: Run) -> list[Any]:
    """How large one can be made, and what is said then."""
    with tempfile.TemporaryFile(buffering=0) as file:
        size, said = 0, 0
        try:
            for _step in range(MOST_STEPS):
                size += file.write(b"x" * STEP_BYTES)
        except OSError as error:
            said = error.errno or 0
    return [size, said]


def limits(_: str, __: Run) -> dict[str, str]:
    """The process's own, as the kernel tells them: soft and hard."""
    told = {}
    for line in Path("/proc/self/limits").read_text().splitlines()[1:]:
        name, soft, hard = (line[start:end].strip() for start, end in ((0, 26), (26, 47), (47, 68)))
        told[name] = f"{soft} {hard}"
    return told


def events(_: str, run: Run) -> None:
    while True:
        run.emit("message.delta", delta="x")


def who_goes_first(_: str, __: Run) -> list[int]:
    """Of this process and of its parent, when memory runs out."""
    own = int(Path("/proc/self/oom_score_adj").read_text())
    return [own]


WAYS: dict[str, Callable[[str, Run], Any]] = {
    way.__name__: way
    for way in (
        *(
            heap,
            slowly,
            shared_memory,
            memory_files,
            page_cache,
            the_disk,
            many_small,
            a_child,
            processes,
            threads,
            descriptors,
            a_file,
            limits,
        ),
        *(events, who_goes_first),
    )
}
