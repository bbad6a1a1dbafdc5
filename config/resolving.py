"""Makes paths absolute: what a file names is relative to that file, the rest to the current folder.

An agent runs in a folder of its own and its zygote in another, so a relative path would mean nothing there.
"""

import os
from pathlib import Path
from typing import Any


def resolve(checked: dict[str, Any], folder: Path, home: Path) -> None:
    """Rewrites, in place, the paths of one source's checked values; notes each agent's `import_root`."""
    state = checked.get("state", {})
    if state.get("dir"):
        state["dir"] = absolute(state["dir"], folder, home)
    webhooks = checked.get("webhooks", {})
    if webhooks.get("secret_file"):
        webhooks["secret_file"] = absolute(webhooks["secret_file"], folder, home)
    for agent in checked.get("agents", {}).values():
        _resolve_agent(agent, folder, home)


def _resolve_agent(agent: dict[str, Any], folder: Path, home: Path) -> None:
    if agent.get("entrypoint") or agent.get("command"):
        agent["import_root"] = os.path.abspath(folder)
    path, colon, attribute = agent.get("entrypoint", "").rpartition(":")
    if path.endswith(".py"):
        agent["entrypoint"] = absolute(path, folder, home) + colon + attribute
    # As in a shell: a program named without a slash is looked for in PATH.
    if agent.get("command") and "/" in agent["command"][0]:
        agent["command"] = (absolute(agent["command"][0], folder, home), *agent["command"][1:])
    paths = agent.get("paths", {})
    for name in paths:
        paths[name] = tuple(absolute(path, folder, home) for path in paths[name])


def absolute(path: str, folder: Path, home: Path) -> str:
    """The path from `folder`, with a leading `~` for the home. Links are kept: a mounted secret or config map
    is a link to a folder that changes."""
    if path == "~" or path.startswith("~/"):
        path = f"{home}/{path[2:]}"
    return os.path.abspath(folder / path)
