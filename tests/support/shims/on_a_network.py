"""Every folder is on a network file system, as far as our processes can tell."""

from pathlib import Path

from runward.actors.journal import folder as state_folder

KIND = "nfs4"


def mount_type(folder: Path) -> str | None:
    """In place of `folder.mount_type`."""
    return KIND


state_folder.mount_type = mount_type
