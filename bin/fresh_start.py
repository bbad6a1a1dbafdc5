"""Starting `runward serve` over without its environment, so that nobody can read that in /proc/PID/environ.

What a process was started with stays to be read there whatever it forgets later (proc_pid_environ(5)). So the first
thing that `serve` does is to put its environment into memory that only it has a descriptor of, and to execute itself
anew with the few variables that an interpreter needs. The pid, and whatever else is inherited, stays.
"""

import json
import os
import sys

FLAG = "--environment"
KEPT = frozenset(
    {"PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "XDG_RUNTIME_DIR"}
)
KEPT_BEGINNINGS = ("LC_", "PYTHON", "SSL_CERT_")


def start_over() -> None:
    """Return only if there is nothing to hide, or if this is the second start already. Raises OSError."""
    kept = {
        name: text for name, text in os.environ.items() if name in KEPT or name.startswith(KEPT_BEGINNINGS)
    }
    if FLAG in sys.argv or len(kept) == len(os.environ):
        return
    memory = os.memfd_create("environment", 0)  # inherited
    os.write(memory, json.dumps(dict(os.environ)).encode())  # "surrogateescape" is kept by JSON's escapes
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:], FLAG, str(memory)], kept)


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
