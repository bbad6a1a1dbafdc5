"""A program for `command`: does what the first word of its input says. It knows nothing of runward."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

LONG_S = "3600"


def say(**line: Any) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def heard() -> dict[str, Any]:
    """The next control message."""
    line: dict[str, Any] = json.loads(sys.stdin.readline())
    return line


# ── what it sees ──────────────────────────────────────────────────────────────────────────────────────────────────


def looks(_: str) -> None:
    """Tells what it was born with."""
    open_now = os.listdir("/proc/self/fd")
    held = [int(fd) for fd in open_now if os.path.exists(f"/proc/self/fd/{fd}") or int(fd) < 3]
    say(output={"start": START, "argv": sys.argv[1:], "environment": dict(os.environ), "descriptors": held})


def measures(text: str) -> None:
    say(output=len(text))


# ── what it says ──────────────────────────────────────────────────────────────────────────────────────────────────


def talks(text: str) -> None:
    """Only deltas, and something that is none."""
    for word in text.split():
        say(event="message.delta", delta=word)
    say(event="reasoning.delta", delta="not this")
    say(event="tool.started", tool="hammer", preview="a nail")


def changes_its_mind(_: str) -> None:
    say(event="message.delta", delta="a delta")
    say(output="the first")
    say(output={"the": "last"}, usage={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3})


def ends_without_newline(text: str) -> None:
    write('{"event": "message.delta", "delta": "a"}\n' + text)


def chatters(_: str) -> None:
    """What it should not say, then what it may."""
    write("Loading…\n")
    write('["a list"]\n')
    say(event="run.completed", output="forged")
    say(claim="completed", output="forged")
    say(output=1, surprise=2)
    say(output="good")


def floods(text: str) -> None:
    """Deltas of so many characters in all."""
    for _ in range(int(text) // 1024):
        say(event="message.delta", delta="x" * 1024)


def says_much(text: str) -> None:
    say(output="x" * int(text))


# ── how it ends ───────────────────────────────────────────────────────────────────────────────────────────────────


def exits(text: str) -> None:
    sys.stderr.write("on stderr before the end\n")
    say(event="message.delta", delta="so far")
    sys.exit(int(text))


def dies(text: str) -> None:
    os.kill(os.getpid(), int(text))


def obeys(_: str) -> None:
    say(event="message.delta", delta="ready")
    say(output=heard())


def deaf(_: str) -> None:
    """Hears nothing; SIGTERM ends it."""
    say(event="message.delta", delta="ready")
    signal.pause()


def tidies(_: str) -> None:
    """SIGTERM makes it tidy up, and leave with 0."""

    def tidy(*_: object) -> None:
        say(output="tidied")
        sys.exit(0)

    signal.signal(signal.SIGTERM, tidy)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # no print within a print
    say(event="message.delta", delta="ready")
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    signal.pause()


def stubborn(_: str) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    say(event="message.delta", delta="ready")
    while True:
        signal.pause()


def fathers(text: str) -> None:
    """Leaves a daemon behind that has a session of its own."""
    subprocess.Popen(["sleep", text], start_new_session=True, stdin=subprocess.DEVNULL)


def runs_ahead(_: str) -> None:
    """Closes both ways and goes on: its exit code still counts."""
    say(output="said before")
    os.close(0)
    os.close(1)
    os._exit(0)


WAYS: dict[str, Callable[[str], None]] = {
    way.__name__: way
    for way in (
        *(looks, measures, talks, changes_its_mind, ends_without_newline, chatters, floods, says_much),
        *(exits, dies, obeys, deaf, tidies, stubborn, fathers, runs_ahead),
    )
}

START = heard()
what, _, rest = START["input"].partition(" ")
WAYS[what](rest)
