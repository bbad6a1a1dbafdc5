"""What a load job is given and gives back, and the CPU time that is spent while it works."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType

from .processes import cpu_by_role

#: Samples by name. Results of several rounds are joined name by name.
Result = dict[str, list[float]]
CLIENT = "client"


@dataclass(frozen=True, slots=True)
class Job:
    """One job for one server: `root` is its root process, `sizes` how much of it."""

    name: str
    address: tuple[str, int]
    root: int
    sizes: Mapping[str, float]

    def number(self, name: str) -> int:
        """A size that is a count."""
        return int(self.sizes[name])


class Spent:
    """While entered, counts CPU and wall time: of the server's processes by role, and of this client."""

    def __init__(self, root: int) -> None:
        self._root = root
        self.cpu_s: dict[str, float] = {}
        self.wall_s = 0.0

    def __enter__(self) -> "Spent":
        self._before = self._now()
        self._began = time.monotonic()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.wall_s = time.monotonic() - self._began
        after = self._now()
        roles = self._before.keys() | after.keys()
        self.cpu_s = {role: after.get(role, 0.0) - self._before.get(role, 0.0) for role in roles}

    def _now(self) -> dict[str, float]:
        used = cpu_by_role(self._root)
        used[CLIENT] = time.process_time()
        return used

    def per_unit(self, name: str, units: float, factor: float = 1e3) -> Result:
        """`name.ROLE` for each role: seconds × `factor` for each unit of work; `name.ours` is all but the client."""
        used = sorted(self.cpu_s.items(), key=lambda item: -item[1])
        shares = {role: max(seconds, 0.0) * factor / units for role, seconds in used}
        ours = sum(share for role, share in shares.items() if role != CLIENT)
        return {f"{name}.{role}": [share] for role, share in shares.items()} | {f"{name}.ours": [ours]}
