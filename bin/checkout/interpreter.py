"""Finds a Python that can run this checkout.

The one file that a Python too old for us must still be able to read: syntax of 3.6, standard library only.
"""

import os
import sys

OLDEST = (3, 11)
# Those we test on come first.
NEWER = ("python3.13", "python3.12", "python3.11", "python3.14")
REFUSED = 78  # EX_CONFIG of sysexits.h


def require(script: str) -> None:
    """Return on Linux and a new enough Python; otherwise run `script` again with a newer one from PATH.

    Exits with 78 and what to do about it where that can't be.
    """
    if not sys.platform.startswith("linux"):
        refuse("needs Linux, and this is " + sys.platform + ". A Linux container or virtual machine will do.")
    if sys.version_info >= OLDEST:
        return
    for candidate in NEWER:
        path = find(candidate)
        if path is not None:
            os.execv(path, [path, script, *sys.argv[1:]])
    refuse(
        "needs Python 3.11 or newer; this one is {}.{} ({}) and there is no newer one on PATH. "
        "On Debian and Ubuntu: apt install python3.11 python3.11-venv".format(
            *sys.version_info[:2], sys.executable
        )
    )


def refuse(why: str) -> None:
    """Say why on stderr and exit with 78."""
    sys.stderr.write("runward: " + why + "\n")
    raise SystemExit(REFUSED)


def find(name: str) -> "str | None":
    """The path of a new enough interpreter that starts; a name on PATH may be a shim that only complains."""
    import shutil
    import subprocess

    path = shutil.which(name)
    if path is None:
        return None
    question = f"import sys; sys.exit(sys.version_info[:2] < {OLDEST})"
    quiet = subprocess.DEVNULL
    return path if subprocess.call([path, "-c", question], stdout=quiet, stderr=quiet) == 0 else None
