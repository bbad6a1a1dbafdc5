"""Where we are: what explains a refusal of the kernel's, and what somebody who helps would ask first. Reads only."""

import os
import platform
from contextlib import suppress
from pathlib import Path

_SWITCHES = {
    "kernel.unprivileged_userns_clone": "/proc/sys/kernel/unprivileged_userns_clone",
    "kernel.apparmor_restrict_unprivileged_userns": "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
    "user.max_user_namespaces": "/proc/sys/user/max_user_namespaces",
    "user.max_pid_namespaces": "/proc/sys/user/max_pid_namespaces",
}
_CONTAINERS = {"/.dockerenv": "docker", "/run/.containerenv": "podman"}


def look() -> dict[str, str]:
    """What there is to say, by name."""
    found = {
        "kernel": f"{platform.release()} {platform.machine()}",
        "user": "root" if os.geteuid() == 0 else f"uid {os.geteuid()}",
        "container": next((name for path, name in _CONTAINERS.items() if os.path.exists(path)), ""),
        "cgroup": _own_cgroup(),
        "capabilities": _capabilities(),
    }
    for name, path in _SWITCHES.items():
        found[name] = _text(path)
    return {name: text for name, text in found.items() if text}


def _own_cgroup() -> str:
    """Of version 2, else of the first hierarchy."""
    lines = _text("/proc/self/cgroup").splitlines()
    newest = [line for line in lines if line.startswith("0::")] or lines[:1]
    return newest[0].split(":", 2)[2] if newest else ""


def _capabilities() -> str:
    lines = _text("/proc/self/status").splitlines()
    return next((line.split()[1] for line in lines if line.startswith("CapEff:")), "")


def _text(path: str) -> str:
    with suppress(OSError):
        return Path(path).read_text().strip()
    return ""
