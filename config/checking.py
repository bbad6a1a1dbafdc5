"""Checks what one source says, key by key, against the sections' types.

Nothing stops at the first mistake: what is right is returned, what is wrong is reported.
A value that may be a secret is never repeated in a report.
"""

import datetime
from typing import Any, get_args, get_origin

import msgspec

from .errors import Problem
from .schema import bare, dotted, extra, is_section, item_kind, keys_of, nearest, quoted, words
from .sections import Section, Settings

BAD = object()  # stands for a value that was reported
DEEPEST = 32  # tables in tables; a dotted key can nest a thousand deep in one line, and decoders then give up
Table = dict[str, Any]


def check(tree: object, source: str) -> tuple[Table, list[Problem]]:
    """The keys of `tree` that are right, converted, and a problem for each that is not."""
    checker = _Checker(source)
    checked = checker.section("", tree, Settings, complete=False)
    return (checked if isinstance(checked, dict) else {}), checker.problems


class _Checker:
    def __init__(self, source: str) -> None:
        self.source = source
        self.problems: list[Problem] = []

    def refuse(self, key: str, message: str) -> object:
        self.problems.append(Problem(self.source, key, message))
        return BAD

    def value(self, key: str, name: str, value: object, kind: Any) -> object:
        if is_section(kind):
            return self.section(key, value, bare(kind), complete=False)
        if get_origin(bare(kind)) is dict:
            return self.table(key, value, kind)
        if get_origin(bare(kind)) is tuple:
            return self.items(key, name, value, kind)
        if bare(kind) is Any:
            return self.data(key, value)
        return self.leaf(key, name, value, kind)

    def section(self, key: str, value: object, section: type[Section], *, complete: bool) -> object:
        """Checks a table with known keys. Only a `complete` one must have those without a default:
        another source may add to the rest."""
        if not isinstance(value, dict):
            return self.refuse(key, f"must be a table, not {shown(value, secret=True)}")
        known = keys_of(section)
        for name in value:
            if name not in known:
                self.refuse(dotted(key, name), f"is not a known key; {nearest(key, name, list(known))}")
        for name in known:
            if complete and known[name].required and name not in value:
                self.refuse(dotted(key, name), "is missing")
        checked = _good(
            (name, self.value(dotted(key, name), name, value[name], known[name].kind))
            for name in known
            if name in value
        )
        lacking = complete and any(key.required and name not in checked for name, key in known.items())
        return BAD if lacking else checked

    def table(self, key: str, value: object, kind: Any) -> object:
        """Checks a table whose keys the user chooses."""
        if not isinstance(value, dict):
            return self.refuse(key, f"must be a table, not {shown(value, secret=True)}")
        name_kind, kind = get_args(bare(kind))
        return _good(
            (name, self.value(dotted(key, name), name, item, kind))
            for name, item in value.items()
            if self.leaf(dotted(key, name), name, name, name_kind) is not BAD
        )

    def items(self, key: str, name: str, value: object, kind: Any) -> object:
        if not isinstance(value, list | tuple):
            secret = is_section(item_kind(kind)) or extra(kind, "secret")
            return self.refuse(key, f"must be a list, not {shown(value, secret)}")
        kind = item_kind(kind)
        checked = [
            self.section(f"{key}[{index}]", item, bare(kind), complete=True)
            if is_section(kind)
            else self.value(f"{key}[{index}]", name, item, kind)
            for index, item in enumerate(value)
        ]
        return tuple(item for item in checked if item is not BAD)

    def leaf(self, key: str, name: str, value: object, kind: Any) -> object:
        if isinstance(value, str) and not _is_portable(value):
            return self.refuse(key, "must be UTF-8 text without a zero byte")
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError:
            secret = extra(kind, "secret")
            found = "" if secret and isinstance(value, str) else f", not {shown(value, secret)}"
            return self.refuse(key, f"must be {words(kind, name)}{found}")

    def data(self, key: str, value: object, depth: int = 0) -> object:
        """Checks a value of an agent's options: anything that survives the way to another process."""
        if depth > DEEPEST:
            return self.refuse(key, f"is nested more than {DEEPEST} deep")
        if isinstance(value, dict) and all(map(_is_portable, value)):
            return _good(
                (name, self.data(dotted(key, name), item, depth + 1)) for name, item in value.items()
            )
        if isinstance(value, list | tuple):
            items = [self.data(f"{key}[{index}]", item, depth + 1) for index, item in enumerate(value)]
            return [item for item in items if item is not BAD]
        if _is_data(value):
            return value
        return self.refuse(
            key, "must be UTF-8 text, a number of at most 64 bits, true or false, a list or a table of these"
        )


def _good(pairs: Any) -> Table:
    return {name: value for name, value in pairs if value is not BAD}


def _is_data(value: object) -> bool:
    match value:
        case bool() | float():
            return True
        case int():
            return -(2**63) <= value < 2**63
        case str():
            return _is_portable(value)
    return False


def _is_portable(text: str) -> bool:
    """Whether a text can go to another process and to the kernel."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def shown(value: object, secret: object = None) -> str:
    """A value as an error message may show it: short, and not at all when it may be a secret."""
    match value:
        case bool():
            return "true or false" if secret else str(value).lower()
        case int() | float():
            return "a number" if secret else _number(value)
        case str():
            return "a text" if secret else f"the text {quoted(value[:40])}"
        case list() | tuple():
            return "a list"
        case dict():
            return "a table"
        case datetime.date() | datetime.time():
            return "a date or time (put it in quotes)"
    return f"a {type(value).__name__}"


def _number(value: float) -> str:
    # Python refuses to write very long integers in decimal.
    return "a number of more than 64 bits" if abs(value) >= 2**64 else f"the number {value}"
