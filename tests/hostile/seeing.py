"""What is seen from outside of each deed in `attacking.py`: whether it got what it wanted. Its traces are removed.

A deed that is not here leaves nothing to see: what it claims is the evidence (it read, it was let in).
"""

import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from ..support.client import Json
from .programs.attacking import _MARKED_LIMIT, MARK
from .scene import NAME, Neighbour, Scene


class Done(NamedTuple):
    """A deed that was done, as far as it is known."""

    scene: Scene
    deed: str
    neighbour: Neighbour
    given: dict[str, Any]
    against: str
    run: Json
    events: list[Json]
    claim: str | None


def got_it(done: Done) -> bool:
    """Whether it got what it wanted."""
    look = SEEN.get(done.deed)
    return done.claim is not None if look is None else look(done)


def _the_same(file: str) -> Callable[[Done], bool]:
    """What it read is what is there."""

    def look(done: Done) -> bool:
        if done.claim is None or not isinstance(done.given["victim"], int):
            return done.claim is not None
        there = Path(f"/proc/{done.given['victim']}/{file}").read_bytes()
        return done.claim in there.decode(errors="replace")

    return look


def _the_file(done: Done) -> bool:
    if done.claim is None:
        return False
    path = done.neighbour.sees(done.deed) if done.against == "neighbours" else Path(done.given["path"])
    return done.claim in path.read_bytes().decode(errors="replace")


def _neighbour_is_dead(done: Done) -> bool:
    return not done.neighbour.lives


def _warden_was_hurt(done: Done) -> bool:
    return bool(done.run["status"] != "completed")


def _is_limited(done: Done) -> bool:
    limits = Path(f"/proc/{done.given['victim']}/limits").read_text()
    found = re.search(r"Max msgqueue size +(\d+)", limits)
    return found is not None and int(found[1]) == _MARKED_LIMIT


def _is_reniced(done: Done) -> bool:
    pid = int(done.given["victim"])
    reniced = os.getpriority(os.PRIO_PROCESS, pid) != 0
    if reniced and os.geteuid() == 0:
        os.setpriority(os.PRIO_PROCESS, pid, 0)
    return reniced


def _is_believed(done: Done) -> bool:
    """Something of what it forged is where it may not be: with the neighbour, or as the runtime's own word."""
    own = [event for event in done.events if event["event"].startswith(("run.", "approval."))]
    return MARK in str(own) or MARK in str(done.neighbour.end())


def _is_there(done: Done) -> bool:
    path = done.neighbour.sees(NAME) if done.against == "beside" else Path(done.given["path"])
    there = path.is_absolute() and path.exists()
    if there:
        path.unlink()
    return there


def _is_changed(done: Done) -> bool:
    path = done.neighbour.sees(done.deed) if done.against == "neighbours" else Path(done.given["path"])
    return MARK.encode() in path.read_bytes()


def _is_gone(done: Done) -> bool:
    path = done.neighbour.sees(done.deed) if done.against == "neighbours" else Path(done.given["path"])
    return not path.exists()


def _is_setuid_somewhere(done: Done) -> bool:
    """Where it was to be, or, where that was for the run to say, in any folder of the server's."""
    path = Path(done.given["path"])
    found = [path] if path.is_absolute() else list(done.scene.server.folder.rglob(path.name))
    setuid = [each for each in found if _is_setuid(each)]
    for each in found:
        each.unlink(missing_ok=True)
    return bool(setuid)


def _is_setuid(path: Path) -> bool:
    with suppress(OSError):
        return bool(path.stat().st_mode & 0o6000)
    return False


def _was_reached(done: Done) -> bool:
    return done.scene.listening.was_reached(done.deed.removeprefix("reaches_"))


def _was_elsewhere(done: Done) -> bool:
    return done.claim is not None and done.given["path"].rpartition("/")[2] in done.claim


def _was_made(done: Done) -> bool:
    made = Path(done.given["path"]) / MARK
    with suppress(FileNotFoundError):
        made.rmdir()
        return True
    return False


SEEN: dict[str, Callable[[Done], bool]] = {
    "reads_environment": _the_same("environ"),
    "reads_a_file": _the_file,
    "kills": _neighbour_is_dead,
    "kills_its_warden": _warden_was_hurt,
    "stops_its_warden": _warden_was_hurt,
    "limits": _is_limited,
    "renices": _is_reniced,
    "fills_every_descriptor": lambda _: False,  # nobody but itself was hurt: what every deed is asked for
    "forges_events": _is_believed,
    "leaves_its_cgroup": _was_elsewhere,
    "makes_a_cgroup": _was_made,
    "writes_a_file": _is_there,
    "changes_a_file": _is_changed,
    "removes_a_file": _is_gone,
    "leaves_a_setuid_file": _is_setuid_somewhere,
    **dict.fromkeys(
        ("reaches_tcp", "reaches_udp", "reaches_an_abstract_socket", "reaches_a_unix_socket"), _was_reached
    ),
}
