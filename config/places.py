"""Where files are looked for: the configuration, the state folder, the home. Light: commands begin with it."""

import os
import pwd
from collections.abc import Mapping
from pathlib import Path

FILE_NAME = "runward.toml"


def find_file(path: Path | None, environ: Mapping[str, str]) -> tuple[Path, str] | None:
    """The file to read and who asked for it, or None. One that was asked for by name may not exist."""
    if path is not None:
        return path, "file"
    if named := environ.get("RUNWARD_CONFIG"):
        return Path(named), "environment RUNWARD_CONFIG: file"
    folders = (Path(), config_home(environ) / "runward")
    return next(
        ((folder / FILE_NAME, "file") for folder in folders if os.path.exists(folder / FILE_NAME)), None
    )


def config_home(environ: Mapping[str, str]) -> Path:
    return _xdg(environ, "XDG_CONFIG_HOME", ".config")


def state_home(environ: Mapping[str, str]) -> Path:
    return _xdg(environ, "XDG_STATE_HOME", ".local/state")


def home(environ: Mapping[str, str]) -> Path:
    """The user's folder; where there is none, the one that by convention does not exist."""
    if named := environ.get("HOME"):
        return Path(named)
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return Path("/nonexistent")


def _xdg(environ: Mapping[str, str], variable: str, below_home: str) -> Path:
    # The XDG base directory specification: a relative path there is to be ignored.
    named = environ.get(variable, "")
    return Path(named) if os.path.isabs(named) else home(environ) / below_home
