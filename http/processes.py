"""What our own processes use, by what they are, from /proc. Agents are not ours: their runs tell what they use."""

from collections.abc import Iterator

from ..actors import procfs
from ..actors.figures import Series, series

# By what is left of the title in the 15 bytes that the kernel keeps.
ROLES = {
    "superv": "supervisor",
    "standb": "supervisor",
    "facade": "facade",
    "zygote": "zygote",
    "warden": "warden",
    "spare": "warden",
    "janito": "janitor",
    "proxy": "proxy",
}
_PARENTS = frozenset({"root", "supervisor", "zygote"})  # of ours; below a warden is its run
_PREFIX = "runward: "


def used(root: int) -> Series:
    """By role, from root down to the wardens. Blocks: some 50 µs a process."""
    found: dict[tuple[str, str], float] = {}
    for role, stat in _stats(root):
        for name, amount in (
            ("runward_process_resident_memory_bytes", stat.rss_bytes),
            ("runward_process_cpu_seconds_total", stat.own_cpu_s),
            ("runward_processes", 1),
        ):
            found[name, role] = found.get((name, role), 0.0) + amount
    return {series(name, role=role): amount for (name, role), amount in found.items()}


def _stats(root: int) -> Iterator[tuple[str, procfs.Stat]]:
    waiting = [(root, "root")]
    while waiting:
        pid, role = waiting.pop()
        stat = procfs.stat(pid)
        if stat is None:
            continue
        yield role, stat
        if role in _PARENTS:
            named = ((child, role_of(procfs.name(child))) for child in procfs.children(pid))
            waiting += [(child, its) for child, its in named if its is not None]


def role_of(name: str) -> str | None:
    """What a process of this name is; None if it is none of ours."""
    return ROLES.get(name.removeprefix(_PREFIX).strip()) if name.startswith(_PREFIX) else None
