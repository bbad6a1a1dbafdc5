"""Where the state folder is, without reading the rest: for commands, which have no time, and no use for a refusal.

What a file says of it is taken though the rest of the file be wrong: a slip there must not keep a run alive.
"""

from collections.abc import Mapping
from pathlib import Path

from .errors import ConfigError
from .resolving import absolute
from .sources import find_file, home, read_file, state_home


def state_dir(environ: Mapping[str, str]) -> Path:
    """The state folder that `load` would come to with this environment and no flags."""
    if named := environ.get("RUNWARD_STATE_DIR"):
        return Path(absolute(named, Path(), home(environ)))
    return _of_file(environ) or state_home(environ) / "runward"


def _of_file(environ: Mapping[str, str]) -> Path | None:
    found = find_file(None, environ)
    try:
        layer = read_file(*found) if found else None
    except ConfigError:
        return None
    state = layer.tree.get("state") if layer else None
    said = state.get("dir") if isinstance(state, dict) else None
    if layer is None or not said or not isinstance(said, str):
        return None
    return Path(absolute(said, layer.folder, home(environ)))
