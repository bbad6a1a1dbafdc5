"""What wardens and supervisors say to each other, written down so that two versions can be compared. Pure.

Messages are arrays, so a newer version may add fields at the end that have defaults, and messages of its own: an
older one passes over what it does not know. Anything else would be misunderstood by the wardens of live runs.
"""

import typing
from typing import Any

import msgspec

from .messages.from_run import FromRun
from .messages.to_run import ToRun

#: Message → its fields in order: name, type, and whether it must be there.
Spoken = dict[str, list[tuple[str, str, bool]]]


def spoken() -> Spoken:
    """By this version."""
    found: Spoken = {}
    for union in (FromRun, ToRun):
        for each in typing.get_args(union):
            _note(each, found)
    return found


def breach(old: Spoken, new: Spoken) -> str | None:
    """What a warden of the old version would misunderstand, or say in vain; None if nothing."""
    for name, before in old.items():
        now = new.get(name)
        if now is None:
            return f"{name} is no more"
        if now[: len(before)] != before:
            return f"the fields of {name} are others"
        if any(required for _, _, required in now[len(before) :]):
            return f"{name} needs more fields"
    return None


def _note(struct: Any, found: Spoken) -> None:
    if struct.__name__ in found:
        return
    fields = msgspec.structs.fields(struct)
    found[struct.__name__] = [(field.name, _text(field.type), field.required) for field in fields]
    for field in fields:
        for part in _structs_in(field.type):
            _note(part, found)


def _structs_in(annotation: Any) -> list[Any]:
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return [annotation]
    return [each for part in typing.get_args(annotation) for each in _structs_in(part)]


def _text(annotation: Any) -> str:
    is_plain = isinstance(annotation, type) and not typing.get_args(annotation)
    return annotation.__name__ if is_plain else str(annotation)
