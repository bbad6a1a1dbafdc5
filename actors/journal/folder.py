"""Whether a folder can hold a journal, said in words that tell an operator what to do.

SQLite's WAL keeps its index in memory that processes share and trusts file locks; network file systems break
both, so they are refused instead of corrupted.
"""

import os
from pathlib import Path

from ..errors import StateFolderUnusable

#: File system types as /proc/PID/mountinfo names them (proc_pid_mountinfo(5)), and prefixes of such names.
NETWORK_TYPES = frozenset({
    "9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs",
    "nfs4", "orangefs", "pvfs2", "smb2", "smb3", "smbfs",
})  # fmt: skip
NETWORK_PREFIXES = (
    "fuse.blobfuse", "fuse.ceph", "fuse.curlftpfs", "fuse.davfs", "fuse.gcs", "fuse.gluster", "fuse.goofys",
    "fuse.juicefs", "fuse.mount-s3", "fuse.nfs", "fuse.rclone", "fuse.s3", "fuse.seaweedfs", "fuse.smb",
    "fuse.sshfs",
)  # fmt: skip


def prepare(folder: Path) -> None:
    """Make the state folder (0700) if it is absent; raise `StateFolderUnusable` if no journal can live there.

    Blocks for a few system calls. Root calls it before it takes the lock, the writer before its file.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        kind = mount_type(folder)
    except OSError as error:
        raise StateFolderUnusable(
            f"state folder {folder} can't be made or read: {error.strerror}; choose another with --state"
        ) from error
    if kind is not None and is_network(kind):
        raise StateFolderUnusable(
            f"state folder {folder} is on a network file system ({kind}), where SQLite can lose data; "
            "choose a folder on a local disk with --state"
        )
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        raise StateFolderUnusable(f"state folder {folder} is on a read-only file system")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StateFolderUnusable(f"state folder {folder} is not writable by uid {os.geteuid()}")


def is_network(kind: str) -> bool:
    """Whether a file system of this type lives on another machine."""
    return kind in NETWORK_TYPES or kind.startswith(NETWORK_PREFIXES)


def mount_type(folder: Path) -> str | None:
    """The type of the file system that `folder` is on; None where /proc does not tell.

    By mount id and not by path or device number: those mislead under bind mounts, btrfs and overlayfs.
    """
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        info = Path(f"/proc/self/fdinfo/{descriptor}").read_text()
        mounts = Path("/proc/self/mountinfo").read_text()
    except FileNotFoundError:
        return None
    finally:
        os.close(descriptor)
    return _type_of(_mount_id(info), mounts)


def _mount_id(fdinfo: str) -> str | None:
    fields = (line.split() for line in fdinfo.splitlines())
    return next((field[1] for field in fields if field[0] == "mnt_id:"), None)


def _type_of(mount_id: str | None, mountinfo: str) -> str | None:
    for line in mountinfo.splitlines():
        mount, _, source = line.partition(" - ")
        if mount.split()[0] == mount_id:
            return source.split()[0]
    return None
