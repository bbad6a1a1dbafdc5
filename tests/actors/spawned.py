"""What runs in spawned processes here: it looks around and says what it sees. Light, since the child imports it."""

import gc
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec


class Start(msgspec.Struct, frozen=True):
    """Birth data: where to say it, and something to carry."""

    report_fd: int
    load: str = ""


def look(birth_fd: int) -> None:
    """Say what this process is and what it was given."""
    facts = _facts()
    with open(birth_fd, "rb") as pipe:
        _say(msgspec.msgpack.decode(pipe.read(), type=Start), facts | {"birth_fd": birth_fd})


def look_begun(birth_fd: int) -> None:
    """The same, after what every role does first."""
    from runward.actors import birth

    start = birth.born_with(birth_fd, Start)
    birth.begin_role("test of roles", (start.report_fd,))
    seen = {name: Path(f"/proc/self/{name}").read_text() for name in ("cmdline", "status", "limits")}
    _say(start, _facts() | seen)


def leave(birth_fd: int) -> None:
    """End with a code of its own."""
    from runward.actors import birth

    os._exit(birth.born_with(birth_fd, Start).report_fd)


def _facts() -> dict[str, Any]:
    return {
        "pid": os.getpid(),
        "parent": os.getppid(),
        "descriptors": dict(_targets()),
        "modules": sorted(sys.modules),
        "main_imported": "__mp_main__" in sys.modules and hasattr(sys.modules["__mp_main__"], "__file__"),
        "threads": threading.active_count(),
        "path": sys.path,
        "gc": gc.isenabled(),
    }


def _targets() -> list[tuple[str, str]]:
    with os.scandir("/proc/self/fd") as folder:
        open_now = [entry.path for entry in folder]
    return [(os.path.basename(path), os.readlink(path)) for path in open_now if os.path.lexists(path)]


def _say(start: Start, facts: dict[str, Any]) -> None:
    with open(start.report_fd, "wb") as report:
        report.write(json.dumps(facts | {"load": len(start.load)}).encode())
