"""Writes the effective settings as TOML, each key with where it came from, and without a secret in it."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from .schema import bare, dotted, extra, item_kind, keys_of, quoted
from .sections import Section, Settings

HIDDEN = "…"


def describe(settings: Settings) -> str:
    """The settings as TOML text, without secrets: hashes are cut short, and no text of an agent's environment
    or options is shown."""
    file = f"file {settings.config_file}" if settings.config_file else "no file"
    lines = [f"# {file}", *_table("", _public(settings), settings.origins)]
    return "\n".join(lines) + "\n"


class Effective(NamedTuple):
    """One setting: its dotted key, its value without a secret in it, and who set it."""

    key: str
    value: Any
    source: str


def effective(settings: Settings) -> Iterator[Effective]:
    """Every setting, with values as `describe` shows them."""
    return _leaves("", _public(settings), settings.origins)


def _leaves(key: str, table: Mapping[str, Any], origins: Mapping[str, str]) -> Iterator[Effective]:
    for name, value in table.items():
        inner = dotted(key, name)
        if isinstance(value, dict) and value:
            yield from _leaves(inner, value, origins)
        else:
            yield Effective(inner, value, _origin(inner, origins))


def _public(section: Section) -> dict[str, Any]:
    """A section as plain tables and lists, its secrets hidden."""
    return {
        name: _public_value(getattr(section, name), key.kind) for name, key in keys_of(type(section)).items()
    }


def _public_value(value: Any, kind: Any) -> Any:
    if isinstance(value, Section):
        return _public(value)
    if isinstance(value, Mapping):
        return {name: _public_value(item, _kind_inside(kind)) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [_public_value(item, _kind_inside(kind)) for item in value]
    if isinstance(value, str) and extra(kind, "secret"):
        # Enough of a hash to tell two keys apart; of anything else, nothing.
        return value[:15] + HIDDEN if extra(kind, "secret") == "hash" else HIDDEN
    return value


def _kind_inside(kind: Any) -> Any:
    """The type of what a container of this type holds; free data (`Any`) holds free data."""
    return kind if bare(kind) is Any else item_kind(kind)


def _table(key: str, table: dict[str, Any], origins: Mapping[str, str]) -> Iterator[str]:
    """The lines of one table: its values first, then the tables in it, as TOML demands."""
    inner = {name: value for name, value in table.items() if isinstance(value, dict) and value}
    if key and len(inner) < len(table):
        yield f"\n[{key}]"
    for name, value in table.items():
        if name not in inner:
            yield f"{dotted('', name)} = {_toml(value)}  # {_origin(dotted(key, name), origins)}"
    for name, value in inner.items():
        yield from _table(dotted(key, name), value, origins)


def _origin(key: str, origins: Mapping[str, str]) -> str:
    # What an agent does not limit itself it has from [limits].
    shared = re.sub(r"^agents\.[^.]+\.limits\.", "limits.", key)
    source = origins.get(key) or origins.get(shared) or "default"
    return "".join(character if character.isprintable() else "?" for character in source)


def _toml(value: Any) -> str:
    match value:
        case dict():
            pairs = ", ".join(f"{dotted('', name)} = {_toml(item)}" for name, item in value.items())
            return f"{{ {pairs} }}" if pairs else "{}"
        case list():
            return f"[{', '.join(map(_toml, value))}]"
        case bool():
            return "true" if value else "false"
        case str():
            return quoted(value)
    return str(value)
