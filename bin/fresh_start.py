"""Starting `runward serve` over without its environment, so that nobody can read that in /proc/PID/environ.

What a process was started with stays to be read there whatever it forgets later (proc_pid_environ(5)). So the first
thing that `serve` does is to put its environment into memory that only it has a descriptor of, and to execute itself
anew with the few variables that an interpreter needs. The pid, and whatever else is inherited, stays.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence

FLAG = "--environment"
ESTATE_FLAG, REHEARSE_FLAG = "--estate", "--rehearse"  # see actors/estate.py
KEPT = frozenset(
    {"PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "XDG_RUNTIME_DIR"}
)
KEPT_BEGINNINGS = ("LC_", "PYTHON", "SSL_CERT_")


def start_over() -> None:
    """Return only if there is nothing to hide, or if this is the second start already. Raises OSError."""
    kept = _kept(os.environ)
    if FLAG in sys.argv or len(kept) == len(os.environ):
        return
    memory = _in_memory(os.environ)
    os.set_inheritable(memory, True)
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:], FLAG, str(memory)], kept)


class Again:
    """How to start this `serve` anew, with the code of then and with the environment that it had at first."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = dict(environ)

    def __call__(self, estate: int, rehearsed: bool) -> tuple[list[str], dict[str, str], list[int]]:
        """Words and environment for this estate, and the descriptors that they name, for the caller to close."""
        memory = _in_memory(self._environ)
        words = [sys.executable, *_as_typed(sys.orig_argv[1:]), FLAG, str(memory), ESTATE_FLAG, str(estate)]
        more = [REHEARSE_FLAG] if rehearsed else []
        return [*words, *more], _kept(self._environ), [memory, estate]


def _as_typed(words: Sequence[str]) -> list[str]:
    """Without the flags that an earlier start added."""
    flags = (FLAG, ESTATE_FLAG)
    return [
        word
        for before, word in zip(("", *words), words, strict=False)
        if word not in flags and before not in flags
    ]


def _kept(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in environ.items() if name in KEPT or name.startswith(KEPT_BEGINNINGS)}


def _in_memory(environ: Mapping[str, str]) -> int:
    memory = os.memfd_create("environment", os.MFD_CLOEXEC)
    os.write(memory, json.dumps(dict(environ)).encode())  # "surrogateescape" is kept by JSON's escapes
    return memory


def environment(memory: int | None) -> dict[str, str]:
    """The variables that the first start had, taken from the descriptor; without one, and from then on, our own."""
    if memory is None:
        found = dict(os.environ)
    else:
        with open(memory, "rb") as file:
            file.seek(0)
            found = json.loads(file.read())
    os.environ.pop("RUNWARD_API_KEY", None)
    return found
