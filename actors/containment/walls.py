"""The walls round an agent: what can be had of them, and how its process raises them, after the fork and for good.

Prepared once by the zygote, so that a run has little left to do. Raised by the agent's process before any code of
the agent's; one that can't be raised there ends the run: none is ever left out in silence. `docs/security.md` tells
what each holds.
"""

import platform
from collections.abc import Callable, Collection, Iterable

from ..errors import WallFailed
from . import linux, seccomp

CAPABILITIES, SECCOMP = "capabilities", "seccomp"
#: All there are, in the order in which they are raised: what comes later takes away what the earlier need.
WALLS = (CAPABILITIES, SECCOMP)

_HOLDS = {CAPABILITIES: ("privileges", "no capabilities"), SECCOMP: ("system_calls", "seccomp")}


def applied(names: Collection[str]) -> dict[str, str]:
    """What each axis of a run is held by, as `Containment.applied` says it."""
    found: dict[str, list[str]] = {}
    for name in WALLS:
        if name in names:
            axis, mechanism = _HOLDS[name]
            found.setdefault(axis, []).append(mechanism)
    return {axis: ", ".join(mechanisms) for axis, mechanisms in found.items()}


class Walls:
    """The walls of one agent's runs, ready to be raised any number of times. Made by its zygote."""

    def __init__(self, names: Iterable[str], alone: bool, network: str) -> None:
        """`alone`: each run has a pid namespace; `network`: as its agent declares it."""
        wanted = frozenset(names)
        self._steps = [(name, self._step(name, alone, network)) for name in WALLS if name in wanted]

    def raise_all(self) -> None:
        """For the calling process and all that it will start. Raises `WallFailed`, naming the one that failed."""
        linux.set_no_new_privileges()
        for name, step in self._steps:
            try:
                step()
            except OSError as error:
                raise WallFailed(name, error) from error

    def _step(self, name: str, alone: bool, network: str) -> Callable[[], None]:
        if name == SECCOMP:
            shape = seccomp.Shape(
                platform.machine(), alone, internet=network == "host", unix=True, lasting_files=True
            )
            return linux.SystemCallFilter(seccomp.program(shape)).apply
        return linux.drop_capabilities
