"""The cgroups of one server's runs, found by the names that they have for its state folder."""

import os
from contextlib import suppress
from pathlib import Path

from runward.actors.containment.leaves import tag_of

MOUNTED = Path("/sys/fs/cgroup")


def leaf_folders(state: Path) -> list[Path]:
    """Those that are there, of every hierarchy."""
    tag = tag_of(str(state))
    return sorted(
        Path(folder, name) for folder, names, _ in os.walk(MOUNTED) for name in names if name.startswith(tag)
    )


def remove_leaves(state: Path) -> None:
    """What a server that was killed left behind, as its next one would."""
    for folder in leaf_folders(state):
        with suppress(OSError):
            folder.rmdir()
