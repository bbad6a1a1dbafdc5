"""Which hierarchies of cgroups there are, and where in each this process is: cgroups(7), read from /proc.

A machine has one hierarchy of version 2, or several of version 1, or both; in a container each may be cut off at
the container's own cgroup, mounted read-only, or missing.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

USED = ("memory", "pids", "cpu")  # the controllers that runs are held by


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """One that is mounted. `own`: the folder of this process's cgroup in it. `controllers` (v1): those of `USED`."""

    version: int
    own: str
    controllers: tuple[str, ...] = ()


def of_this_process() -> list[Hierarchy]:
    """Read from /proc; none on a kernel without cgroups."""
    try:
        with open("/proc/self/mountinfo") as mountinfo, open("/proc/self/cgroup") as own:
            return mounted(mountinfo.read(), own.read())
    except FileNotFoundError:
        return []


def mounted(mountinfo: str, own_cgroups: str) -> list[Hierarchy]:
    """The hierarchies that matter here, from the texts of /proc/self/mountinfo and /proc/self/cgroup.

    Of a hierarchy that is mounted more than once the first counts; one in which our cgroup can't be seen from its
    mount is left out.
    """
    paths = dict(_own_paths(own_cgroups))
    found: dict[tuple[str, ...], Hierarchy] = {}
    for line in mountinfo.splitlines():
        fields, _, rest = line.partition(" - ")
        kind, _, options = rest.split(" ", 2)
        root, mount = (_unescaped(each) for each in fields.split(" ")[3:5])
        key = ("",) if kind == "cgroup2" else tuple(sorted(options.split(",")))
        path = _path_of(paths, key) if kind in ("cgroup", "cgroup2") else None
        own = None if path is None else _seen_from(mount, root, path)
        if own is None or key in found:
            continue
        if kind == "cgroup2":
            found[key] = Hierarchy(2, own)
        elif controllers := tuple(each for each in USED if each in key):
            found[key] = Hierarchy(1, own, controllers)
    return list(found.values())


def _own_paths(own_cgroups: str) -> Iterator[tuple[str, str]]:
    """Controller → path, as /proc/self/cgroup has it; "" is version 2."""
    for line in own_cgroups.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            yield controller, path


def _path_of(paths: dict[str, str], key: tuple[str, ...]) -> str | None:
    return next((paths[controller] for controller in key if controller in paths), None)


def _seen_from(mount: str, root: str, path: str) -> str | None:
    """The folder of the cgroup `path` where the hierarchy is mounted from its cgroup `root` on."""
    if path.startswith("/.."):  # outside our cgroup namespace
        return None
    if root != "/":
        if path != root and not path.startswith(f"{root}/"):
            return None
        path = path[len(root) :]
    return mount if path in ("", "/") else mount + path


def _unescaped(text: str) -> str:
    """proc_pid_mountinfo(5) writes space, tab, newline and backslash as octal."""
    return re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), text)
