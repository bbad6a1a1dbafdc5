"""What a command may be told, and the parser made of that.

A command is a function whose parameters say what they are: `Annotated[str | None, Option(help="…")] = None`. One
without a default is required. An option that names a variable of the environment has its default from there.
"""

import os
from argparse import (
    SUPPRESS,
    ArgumentParser,
    ArgumentTypeError,
    BooleanOptionalAction,
    RawDescriptionHelpFormatter,
)
from collections.abc import Callable, Iterator
from types import FunctionType, NoneType, UnionType
from typing import Any, Literal, NamedTuple, Union, cast, get_args, get_origin

Command = Callable[..., int]


class Option:
    """A parameter that has a name on the command line. `names`: those, else its own with dashes.

    `envvar`: the variable that gives its value where no word does. `min`: the least number. `completes`: what a shell
    may offer for it, "run" or "agent".
    """

    def __init__(
        self,
        *names: str,
        help: str = "",
        metavar: str | None = None,
        envvar: str | None = None,
        min: float | None = None,
        hidden: bool = False,
        completes: str = "",
    ) -> None:
        self.names, self.help, self.metavar = names, help, metavar
        self.envvar, self.min, self.hidden, self.completes = envvar, min, hidden, completes


class Argument:
    """A parameter that is known by its place. `completes` as in `Option`."""

    def __init__(self, *, metavar: str, help: str = "", completes: str = "") -> None:
        self.metavar, self.help, self.completes = metavar, help, completes


class Parameter(NamedTuple):
    """One parameter of a command: its name, what it is, its type without None, and whether that is in a list."""

    name: str
    said: Option | Argument
    kind: Any
    is_list: bool
    required: bool
    default: Any


def parameters(command: Command) -> Iterator[Parameter]:
    """Those of a command, in their order."""
    function = cast(FunctionType, command)
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    defaults = function.__defaults__ or ()
    without = len(names) - len(defaults)
    for at, name in enumerate(names):
        annotation = function.__annotations__[name]
        kind, is_list = _kind(annotation.__origin__)
        default = None if at < without else defaults[at - without]
        yield Parameter(name, annotation.__metadata__[0], kind, is_list, at < without, default)


def parse(name: str, command: Command, words: list[str]) -> dict[str, Any]:
    """What the words say, by parameter. Ends the process where they ask for help (0) or are wrong (2)."""
    return vars(parser(name, command).parse_intermixed_args(words))


def parser(name: str, command: Command) -> ArgumentParser:
    """The parser of the command of this name."""
    made = ArgumentParser(
        prog=f"runward {name}",
        description=command.__doc__,
        allow_abbrev=False,
        formatter_class=RawDescriptionHelpFormatter,
    )
    for each in parameters(command):
        _add(made, each)
    return made


def names_of(parameter: Parameter) -> list[str]:
    """How an option is written: the given names, which may be short ones alone, else its own."""
    assert isinstance(parameter.said, Option)
    own = "--" + parameter.name.replace("_", "-")
    return list(parameter.said.names) or [own]


def choices_of(parameter: Parameter) -> tuple[str, ...]:
    """What alone it may be, where that is a closed set."""
    return get_args(parameter.kind) if get_origin(parameter.kind) is Literal else ()


def _add(made: ArgumentParser, each: Parameter) -> None:
    said = each.said
    if isinstance(said, Argument):
        count = (
            "+" if each.is_list and each.required else "*" if each.is_list else None if each.required else "?"
        )
        kind = _converter(each, None)
        made.add_argument(
            each.name,
            nargs=count,
            metavar=said.metavar,
            help=_help(said),
            type=kind,
            choices=choices_of(each) or None,
            default=each.default,
        )
    elif each.kind is bool:
        action = BooleanOptionalAction if each.default else "store_true"
        made.add_argument(
            *names_of(each), dest=each.name, action=action, default=each.default, help=_help(said)
        )
    else:
        default = each.default
        if said.envvar:
            default = os.environ.get(said.envvar) or default  # argparse converts what is text
        made.add_argument(
            *names_of(each),
            dest=each.name,
            action="append" if each.is_list else "store",
            default=default,
            type=_converter(each, said.min),
            choices=choices_of(each) or None,
            metavar=said.metavar or (None if choices_of(each) else _noun(each.kind)),
            help=_help(said),
        )


def _help(said: Option | Argument) -> str:
    told = said.help.replace("%", "%%")
    if isinstance(said, Argument):
        return told
    return SUPPRESS if said.hidden else told + (f" [{said.envvar}]" if said.envvar else "")


def _noun(kind: Any) -> str:
    return {int: "N", float: "N"}.get(kind, getattr(kind, "__name__", "TEXT")).upper().replace("STR", "TEXT")


def _kind(annotation: Any) -> tuple[Any, bool]:
    """The type without None, and whether a list of it is meant."""
    if get_origin(annotation) in (Union, UnionType):
        (annotation,) = (each for each in get_args(annotation) if each is not NoneType)
    if get_origin(annotation) is list:
        return get_args(annotation)[0], True
    return annotation, False


def _converter(parameter: Parameter, least: float | None) -> Callable[[str], Any]:
    kind: Callable[[str], Any] = str if choices_of(parameter) else parameter.kind

    def convert(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError as error:
            raise ArgumentTypeError(f"{text!r} is not a number") from error
        if least is not None and not value >= least:
            raise ArgumentTypeError(f"{text} is less than {least:g}")
        return value

    return convert
