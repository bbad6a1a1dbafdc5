"""Reads the sections' own annotations, so that a key, its type and its words are written down once only."""

import json
import re
from difflib import get_close_matches
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

import msgspec
from msgspec import Meta

from .sections import Section, Settings

UNITS = {"_s": " of seconds", "_ms": " of milliseconds", "_bytes": " of bytes"}


class Key(NamedTuple):
    """One key of a section: its type as annotated, and whether a table must have it."""

    kind: Any
    required: bool


@cache
def keys_of(section: type[Section]) -> dict[str, Key]:
    """The keys that may be set in this section, in order; the derived ones are not among them."""
    return {
        field.name: Key(field.type, field.required)
        for field in msgspec.structs.fields(section)
        if not extra(field.type, "derived")
    }


def bare(kind: Any) -> Any:
    """The type without its annotations."""
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def extra(kind: Any, name: str) -> Any:
    """What a type's annotation says under this name; for containers, what their items say."""
    if get_origin(kind) in (dict, tuple):
        return extra(item_kind(kind), name)
    return next((found for meta in metas(kind) if (found := (meta.extra or {}).get(name))), None)


def metas(kind: Any) -> list[Meta]:
    return [part for part in get_args(kind)[1:] if isinstance(part, Meta)]


def item_kind(kind: Any) -> Any:
    """The type of the values of a `dict[K, V]`, or of the items of a `tuple[V, ...]`."""
    arguments = get_args(bare(kind))
    return arguments[1] if get_origin(bare(kind)) is dict else arguments[0]


def is_section(kind: Any) -> bool:
    return isinstance(bare(kind), type) and issubclass(bare(kind), Section)


@cache
def plain_keys() -> dict[str, Any]:
    """Every dotted key that holds one value or a list of values, with its type.

    These are what the environment can set; tables with names of their own (agents, keys) are not.
    """
    return {
        f"{section}.{name}": key.kind
        for section, table in keys_of(Settings).items()
        if is_section(table.kind)
        for name, key in keys_of(table.kind).items()
        if not (get_origin(key.kind) is tuple and is_section(item_kind(key.kind)))
    }


def dotted(parent: str, name: str) -> str:
    """The dotted key of `name` in `parent`, quoted as TOML would have it."""
    shown = name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else quoted(name)
    return f"{parent}.{shown}" if parent else shown


def quoted(text: str) -> str:
    """The text as a TOML string, which is as in JSON but for one character. Lone surrogates become "?"."""
    text = text.encode(errors="replace").decode()
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def nearest(parent: str, name: str, names: list[str]) -> str:
    """What to say of a key that does not exist: the nearest that does, or all of its neighbours."""
    if close := get_close_matches(name, names, 1, 0.5):
        return f"did you mean {dotted(parent, close[0])}?"
    elsewhere = {key.rsplit(".", 1)[1]: key for key in reversed(plain_keys())}
    if close := get_close_matches(name, elsewhere, 1, 0.7):
        return f"did you mean {elsewhere[close[0]]}?"
    return f"known here: {', '.join(names)}"


def words(kind: Any, name: str) -> str:
    """What a value of this type is, in words; the unit comes from the end of the key's name."""
    described = next((meta.description for meta in metas(kind) if meta.description), None)
    if described:
        return described
    plain = bare(kind)
    if get_origin(plain) is Literal:
        return "one of " + ", ".join(json.dumps(choice) for choice in get_args(plain))
    if plain in (int, float):
        unit = next((words for end, words in UNITS.items() if name.endswith(end)), "")
        return f"a {'whole ' if plain is int else ''}number{unit}{_range(metas(kind))}"
    return {bool: "true or false", str: "a text", tuple: "a list"}.get(get_origin(plain) or plain, "a table")


def _range(found: list[Meta]) -> str:
    if not found:
        return ""
    low = f" above {found[0].gt:g}" if found[0].gt is not None else f" from {found[0].ge:g}"
    return f"{low} to {found[0].le:.16g}"
