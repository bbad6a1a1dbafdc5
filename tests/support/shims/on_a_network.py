"""Every folder is on a network file system, as far as our processes can tell."""

from pathlib import Path

from runward.actors.journal import folder

KIND = "nfs4"


def mount_type(_: Path) -> str:
    """In place of `folder.mount_type`."""
    return KIND


folder.mount_type = mount_type
