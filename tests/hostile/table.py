"""The tables: `outcomes.txt` (program × place, and what comes of it there), `missing.txt` (what runs lack there)."""

from pathlib import Path
from typing import NamedTuple

TABLE = Path(__file__).with_name("outcomes.txt")
MISSING = Path(__file__).with_name("missing.txt")
NO, YES, NOT_YET = "no", "yes", "not-yet"
COLUMNS = (
    *("root-cgroup", "root-pidns", "root-uid", "root-scope", "root-subreaper"),
    *("user-cgroup", "user-pidns", "user-scope", "user-subreaper"),
)


class Attack(NamedTuple):
    """One line. `outcomes`: column → whether it gets what it wants there."""

    deed: str
    against: str
    outcomes: dict[str, str]

    @property
    def title(self) -> str:
        return f"{self.deed}-{self.against}"


def attacks() -> list[Attack]:
    """All lines. Raises ValueError for one that is not whole, or twice there."""
    found: dict[tuple[str, str], Attack] = {}
    for line in TABLE.read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        deed, against, *outcomes = line.split()
        if set(outcomes) - {NO, YES, NOT_YET} or (deed, against) in found:
            raise ValueError(f"outcomes.txt: {line}")
        found[deed, against] = Attack(deed, against, dict(zip(COLUMNS, outcomes, strict=True)))
    return list(found.values())


def missing() -> dict[str, list[str]]:
    """Column → what a run there says that it has not, line by line. Raises ValueError for a place that is unknown."""
    found: dict[str, list[str]] = {place: [] for place in COLUMNS}
    place = ""
    for line in MISSING.read_text().splitlines():
        if line.startswith("    "):
            found[place].append(line.strip())
        elif line.strip() and not line.startswith("#"):
            place = line.strip()
            if place not in found:
                raise ValueError(f"missing.txt: {line}")
    return found
