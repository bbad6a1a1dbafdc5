"""The cgroups of one server's runs, found by the names that they have for its state folder."""

import os
from contextlib import suppress
from pathlib import Path

from runward.actors.containment.leaves import tag_of

from .waiting import AT_LAST_S, until

MOUNTED = Path("/sys/fs/cgroup")


def leaf_folders(state: Path) -> list[Path]:
    """Those that are there, of every hierarchy."""
    tag = tag_of(str(state))
    return sorted(
        Path(folder, name) for folder, names, _ in os.walk(MOUNTED) for name in names if name.startswith(tag)
    )


def remove_leaves(state: Path) -> None:
    """What a server that was killed left behind, as its next one would, once its runs are gone."""

    def are_gone() -> bool:
        for folder in leaf_folders(state):
            with suppress(OSError):
                folder.rmdir()
        return not leaf_folders(state)

    until(are_gone, AT_LAST_S, lambda: f"the end of {leaf_folders(state)}")
