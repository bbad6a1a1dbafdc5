"""Servers that hostile agents are run on: as root and as an ordinary user, on each kill rung."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from ..support.rungs import PROOF, skip_unless_held
from ..support.server import Server, running

ORDINARY_UID = 54_321
#: Who serves × on which rung.
PLACES = [(who, rung) for who in ("as_is", "ordinary") for rung in PROOF]


@contextmanager
def house(
    place: tuple[str, str], folders: pytest.TempPathFactory, config: Mapping[str, Any]
) -> Iterator[Server]:
    """A server of this place; skips where it can't be had."""
    user = skip_unless_had(place)
    containment = {"kill": place[1]}
    with running(folders.mktemp("hostile"), {"containment": containment, **config}, user=user) as server:
        yield server


def skip_unless_had(place: tuple[str, str]) -> int | None:
    """Who serves there, None for whoever runs the tests; skips where the place can't be had."""
    who, rung = place
    skip_unless_held(rung)
    if who == "ordinary" and os.geteuid() != 0:
        pytest.skip("only root can become somebody else; the tests as they are run as an ordinary user")
    return ORDINARY_UID if who == "ordinary" else None
