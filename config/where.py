"""Where the state folder is, without reading the rest: for commands, which have no time, and no use for a refusal.

What a file says of it is taken though the rest of the file be wrong: a slip there must not keep a run alive.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .places import find_file, home, state_home
from .resolving import absolute


def state_dir(environ: Mapping[str, str]) -> Path:
    """The state folder that `load` would come to with this environment and no flags."""
    if named := environ.get("RUNWARD_STATE_DIR"):
        return Path(absolute(named, Path(), home(environ)))
    found = find_file(None, environ)
    said = _said_in(found[0]) if found else None
    if found is None or said is None:
        return state_home(environ) / "runward"
    return Path(absolute(said, Path(os.path.abspath(found[0])).parent, home(environ)))


def _said_in(file: Path) -> str | None:
    import tomllib  # imported late: there may be no file

    try:
        state: Any = tomllib.loads(file.read_text(encoding="utf-8")).get("state")
    except (OSError, ValueError, RecursionError):
        return None
    said = state.get("dir") if isinstance(state, dict) else None
    return said if said and isinstance(said, str) else None
