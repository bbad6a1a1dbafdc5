import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runward.actors.errors import StateFolderUnusable
from runward.actors.journal import folder as state_folder
from runward.actors.journal.lock import StateLock
from runward.actors.journal.writer import Writer
from tests.support.privileges import without_privileges

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")

MOUNTS = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
31 27 0:40 / /home/a\\040b rw,nosuid master:2 - fuse.sshfs host:/ rw,user_id=0
32 27 0:41 / /srv rw - nfs4 server:/srv rw
"""


@pytest.fixture
def read_only_mount(tmp_path: Path) -> Iterator[Path]:
    point = tmp_path / "mounted"
    point.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=64k", "none", point], check=True)
    yield point
    subprocess.run(["umount", point], check=True)


@pytest.mark.parametrize(
    "kind",
    ["nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "fuse.sshfs", "fuse.s3fs", "fuse.glusterfs", "lustre"],
)
def test_a_network_file_system_is_refused_by_name(
    kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_folder, "mount_type", lambda folder: kind)
    with pytest.raises(StateFolderUnusable, match=rf"network file system \({kind}\)"):
        Writer(folder)
    with pytest.raises(StateFolderUnusable, match="local disk"):
        StateLock(folder).acquire()
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "kind", ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "fuseblk", "fuse.mergerfs"]
)
def test_a_local_file_system_is_not_taken_for_a_network(kind: str) -> None:
    assert not state_folder.is_network(kind)


def test_the_type_is_that_of_the_mount_the_folder_is_on(tmp_path: Path) -> None:
    assert state_folder.mount_type(Path("/proc/self")) == "proc"
    link = tmp_path / "link"
    link.symlink_to("/proc/self")
    assert state_folder.mount_type(link) == "proc"
    assert state_folder.mount_type(tmp_path) not in ("proc", None)


@pytest.mark.parametrize(
    ("mount_id", "kind"), [("31", "fuse.sshfs"), ("32", "nfs4"), ("7", None), (None, None)]
)
def test_the_type_is_found_by_mount_id(mount_id: str | None, kind: str | None) -> None:
    assert state_folder._type_of(mount_id, MOUNTS) == kind


@root_only
def test_a_read_only_file_system_is_refused(read_only_mount: Path) -> None:
    with pytest.raises(StateFolderUnusable, match="read-only"):
        Writer(read_only_mount)
    with pytest.raises(StateFolderUnusable, match="Read-only"):
        Writer(read_only_mount / "below")


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StateFolderUnusable, match="not writable"):
        without_privileges(lambda: Writer(tmp_path))


def test_a_file_in_place_of_the_folder_is_refused(folder: Path) -> None:
    folder.write_text("not a folder")
    with pytest.raises(StateFolderUnusable, match="can't be made or read"):
        StateLock(folder).acquire()
    assert folder.read_text() == "not a folder"
