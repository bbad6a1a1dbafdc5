"""Where settings come from: one file, the environment, flags. Nothing is checked here but their form.

Each source item becomes a `Layer`; the file is one, every variable and every flag is one of its own,
so that a mistake can be reported with the exact place that holds it.
"""

import os
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_origin

from .errors import ConfigError, Problem
from .schema import bare, plain_keys

PREFIX = "RUNWARD_"
# Read elsewhere: the operator's key, the server that client commands talk to, the file itself.
SPECIAL_VARIABLES = frozenset({"RUNWARD_API_KEY", "RUNWARD_URL", "RUNWARD_CONFIG"})
SWITCHES = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


class Layer(NamedTuple):
    """What one source says. Relative paths in it are relative to `folder`."""

    source: str
    folder: Path
    tree: dict[str, Any]
    file: str = ""


def read_file(path: Path, asked_by: str) -> Layer:
    """The file's layer. Raises ConfigError, with the line where it can, if it is unreadable or not TOML."""
    source = f"{asked_by} {path}"
    try:
        text = path.read_bytes().decode()
        tree = tomllib.loads(text)
    except OSError as error:
        raise ConfigError([Problem(source, "", f"can't be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError([Problem(source, "", f"is not UTF-8 text (at line {line})")]) from error
    except (ValueError, RecursionError) as error:  # tomllib lets some of both through
        raise ConfigError([Problem(source, "", f"is not valid TOML: {error}")]) from error
    absolute = Path(os.path.abspath(path))
    return Layer(f"file {path}", absolute.parent, tree, str(absolute))


def read_environment(environ: Mapping[str, str]) -> tuple[list[Layer], list[Problem]]:
    """A layer for each `RUNWARD_SECTION_KEY`, and a problem for each other `RUNWARD_` variable."""
    known = {variable_for(key): key for key in plain_keys()}
    layers, problems = [], []
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in SPECIAL_VARIABLES:
            continue
        if key := known.get(name):
            layers.append(
                Layer(f"environment {name}", Path(), nested(key, from_text(environ[name], plain_keys()[key])))
            )
        else:
            problems.append(
                Problem("environment", name, _unknown_variable(name, [*known, *SPECIAL_VARIABLES]))
            )
    return layers, problems


def variable_for(key: str) -> str:
    """The environment variable that sets this dotted key."""
    return PREFIX + key.replace(".", "_").upper()


def _unknown_variable(name: str, known: list[str]) -> str:
    if name.startswith(("RUNWARD_AGENTS_", "RUNWARD_AUTH_KEYS")):
        return "can't be set by a variable; agents and keys are declared in the file"
    close = get_close_matches(name, known, 1, 0.6)
    return "is not a known variable" + (f"; did you mean {close[0]}?" if close else "")


def from_text(text: str, kind: Any) -> object:
    """What a variable's text says for a key of this type; the text itself when it makes no sense as that.

    A list is TOML (`["a", "b"]`) or items with commas between; a switch is true, yes, on, 1 or the opposite.
    """
    plain = get_origin(bare(kind)) or bare(kind)
    if plain in (str, Literal):
        return text
    if plain is bool:
        return SWITCHES.get(text.strip().lower(), text)
    try:
        return _items(text) if plain is tuple else plain(text)
    except ValueError:
        return text


def _items(text: str) -> list[Any]:
    if text.lstrip().startswith("["):
        items: list[Any] = tomllib.loads(f"items = {text}")["items"]
        return items
    return [item.strip() for item in text.split(",") if item.strip()]


def read_flags(flags: Mapping[str, object]) -> list[Layer]:
    """A layer for each flag; None is a flag that was not given."""
    return [
        Layer(f"flag {key}", Path(), nested(key, os.fspath(value) if isinstance(value, Path) else value))
        for key, value in flags.items()
        if value is not None
    ]


def nested(key: str, value: object) -> dict[str, Any]:
    """`nested("a.b", 1)` is `{"a": {"b": 1}}`."""
    for part in reversed(key.split(".")):
        value = {part: value}
    return dict(value) if isinstance(value, dict) else {}
