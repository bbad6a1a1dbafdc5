"""Servers that hostile agents are run on: as root and as an ordinary user, on each kill rung."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from ..support.delegation import delegated
from ..support.rungs import PROOF, skip_unless_held
from ..support.server import Server, running

ORDINARY_UID = 54_321
_PLACES = [
    (who, rung) for who in ("as_is", "ordinary") for rung in PROOF if (who, rung) != ("ordinary", "uid")
]


def _param(who: str, rung: str) -> Any:
    # Pinned to the lowest rung a run here has the walls of the one above it, and is killed in the same way.
    return pytest.param(
        (who, rung), marks=[pytest.mark.slow] if rung == "subreaper" else [], id=f"{who}-{rung}"
    )


#: Who serves × on which rung. The ordinary user has a cgroup of its own where the rung asks for one.
PLACES = [_param(*place) for place in _PLACES]


def places_where(so: Callable[[str, str], bool]) -> list[Any]:
    """Those of which that is true, given who serves and the rung."""
    return [_param(*place) for place in _PLACES if so(*place)]


def column(place: tuple[str, str]) -> str:
    """Of the tables: who really serves, and the rung."""
    who, rung = place
    return f"{'root' if who == 'as_is' and os.geteuid() == 0 else 'user'}-{rung}"


@contextmanager
def house(
    place: tuple[str, str], folders: pytest.TempPathFactory, config: Mapping[str, Any]
) -> Iterator[Server]:
    """A server of this place; skips where it can't be had."""
    user = skip_unless_had(place)
    given = {"containment": {"kill": place[1]}, **config}
    with ExitStack() as stack, ExitStack() as only_to_start:
        if user is not None and place[1] == "cgroup":
            only_to_start.enter_context(_in_cgroup(stack.enter_context(delegated(user))))
        folder = folders.mktemp("hostile")
        folder.chmod(
            0o755
        )  # what an agent is declared in must be everybody's to read, where it has its own user
        server = stack.enter_context(running(folder, given, user=user))
        only_to_start.close()
        yield server


@contextmanager
def _in_cgroup(folder: Path) -> Iterator[None]:
    """This process, and what it starts meanwhile."""
    (folder / "cgroup.procs").write_text("0")
    try:
        yield
    finally:
        (folder.parent / "cgroup.procs").write_text("0")


def skip_unless_had(place: tuple[str, str]) -> int | None:
    """Who serves there, None for whoever runs the tests; skips where the place can't be had."""
    who, rung = place
    skip_unless_held(rung)
    if who == "ordinary" and os.geteuid() != 0:
        pytest.skip("only root can become somebody else; the tests as they are run as an ordinary user")
    return ORDINARY_UID if who == "ordinary" else None
