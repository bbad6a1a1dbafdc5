"""From the entrypoint's name to the agent, what kind of agent that is, and how it can be called.

Only `load` touches the world (it imports the agent's code); the rest looks and decides. What can't be used is
an ordinary exception whose last line tells the operator what to mend.
"""

import functools
import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from types import AsyncGeneratorType, CoroutineType, FunctionType, GeneratorType, ModuleType, NoneType
from typing import Any

from .records import Kind

#: What a conversation is offered when it is built, beside `session_id`. What takes one of these is a factory.
CONVERSATION_PARAMETERS = frozenset(
    {"stream_delta_callback", "tool_progress_callback", "ephemeral_system_prompt"}
)
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)

#: What a function's code says of it.
_KINDS_BY_FLAG = (
    (inspect.CO_ASYNC_GENERATOR, Kind.ASYNC_GENERATOR),
    (inspect.CO_COROUTINE, Kind.ASYNC_FUNCTION),
    (inspect.CO_GENERATOR, Kind.GENERATOR),
)
#: The usual results; each of the abstract classes would have to be asked about any other.
_KINDS_OF_RESULTS: dict[type, Kind] = {
    AsyncGeneratorType: Kind.ASYNC_GENERATOR,
    CoroutineType: Kind.ASYNC_FUNCTION,
    GeneratorType: Kind.GENERATOR,
    NoneType: Kind.FUNCTION,
    str: Kind.FUNCTION,
    dict: Kind.FUNCTION,
}


def load(entrypoint: str, import_root: str = "") -> Any:
    """Import `package.module:attr` (looked for in `import_root` first) or `/path/file.py:attr`.

    `attr` may be dotted. Runs the agent's import-time code, so it may raise anything, SystemExit included.
    """
    if import_root:
        sys.path.insert(0, import_root)
    where, _, attributes = entrypoint.rpartition(":")
    found: Any = _import_file(where) if where.endswith(".py") else importlib.import_module(where)
    for name in attributes.split("."):
        found = getattr(found, name)
    return found


def _import_file(path: str) -> ModuleType:
    """Import a file as Python would a script's neighbour: its folder first on the path, its stem its name."""
    folder, file = os.path.split(path)
    sys.path.insert(0, folder)
    name = file.removesuffix(".py")
    known = sys.modules.get(name)
    if known is not None:
        if getattr(known, "__file__", None) == path:
            return known  # preloaded
        # random.py is a fine name for an agent's file, but `import random` must go on meaning the other.
        name = f"agent_{name}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def kind_of(target: Any) -> Kind:
    """What kind of agent it is, told by looking. TypeError: of no kind.

    A decorator may hide the kind; what a call returns (`kind_of_result`) then tells more.
    """
    if _is_conversation(target):
        return Kind.CONVERSATION
    if inspect.isclass(target):
        raise TypeError(f"{target.__qualname__} is a class without run_conversation")
    if not callable(target):
        raise TypeError(f"it is a {type(target).__name__}, which can't be called")
    if type(target) is FunctionType and not target.__dict__:
        return _kind_of_plain(target)
    function = _underneath(target)
    if inspect.isasyncgenfunction(function):
        return Kind.ASYNC_GENERATOR
    if inspect.iscoroutinefunction(function):
        return Kind.ASYNC_FUNCTION
    if inspect.isgeneratorfunction(function):
        return Kind.GENERATOR
    return Kind.CONVERSATION if _is_factory(target) else Kind.FUNCTION


def _kind_of_plain(function: FunctionType) -> Kind:
    """The same for a function that no decorator has marked, without `inspect`: see `_plain_places`."""
    code = function.__code__
    for flag, kind in _KINDS_BY_FLAG:
        if code.co_flags & flag:
            return kind
    count = code.co_argcount + code.co_kwonlyargcount
    takes_input = code.co_argcount or code.co_flags & inspect.CO_VARARGS
    stars = bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
    is_factory = (
        not takes_input
        or not CONVERSATION_PARAMETERS.isdisjoint(code.co_varnames[: count + stars])
        or _is_conversation(function.__annotations__.get("return"))
    )
    return Kind.CONVERSATION if is_factory else Kind.FUNCTION


def kind_of_result(result: Any) -> Kind:
    """What a called agent turned out to be, by what the call returned."""
    if (kind := _KINDS_OF_RESULTS.get(type(result))) is not None:
        return kind
    if isinstance(result, AsyncIterator):
        return Kind.ASYNC_GENERATOR
    if isinstance(result, Awaitable):
        return Kind.ASYNC_FUNCTION
    return Kind.GENERATOR if isinstance(result, Iterator) else Kind.FUNCTION


def _underneath(target: Any) -> Any:
    """The function that runs when `target` is called."""
    while isinstance(target, functools.partial):
        target = target.func
    return target if inspect.isroutine(target) else type(target).__call__


def _is_conversation(target: Any) -> bool:
    while isinstance(target, functools.partial):
        target = target.func
    return callable(getattr(target, "run_conversation", None))


def _is_factory(target: Any) -> bool:
    """Whether it says that it returns a conversation, takes what one is built with, or takes no input."""
    signature = signature_of(target)
    if signature is None:
        return False
    takes_input = any(
        each.kind in _POSITIONAL or each.kind is each.VAR_POSITIONAL for each in signature.parameters.values()
    )
    return (
        not takes_input
        or not CONVERSATION_PARAMETERS.isdisjoint(signature.parameters)
        or _is_conversation(signature.return_annotation)
    )


def signature_of(target: Callable[..., Any]) -> inspect.Signature | None:
    """Its signature; None for the few built-in callables that have none."""
    try:
        return inspect.signature(target)
    except ValueError:
        return None


def taken(signature: inspect.Signature | None, offered: Mapping[str, Any]) -> dict[str, Any]:
    """Of what is offered by name, what a callable of this signature takes."""
    if signature is None:
        return dict(offered)
    parameters = signature.parameters.values()
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        return dict(offered)
    names = {each.name for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)}
    return {name: value for name, value in offered.items() if name in names}


def arguments(
    target: Callable[..., Any], text: str, run: Any, options: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """How to call a function agent: `(input, run)`, or `(input,)` if it has no place for a run; its options.

    TypeError: it can't be called so; options that it does not take are named.
    """
    if not options and (places := _plain_places(target)) in (1, 2):
        return (text, run)[:places], {}
    signature = signature_of(target)
    if signature is None:
        return (text,), dict(options)
    if unknown := sorted(options.keys() - taken(signature, options).keys()):
        raise TypeError(f"the agent takes no option {', '.join(map(repr, unknown))}; it is {signature}")
    named = dict(options)
    positional = (text, run) if _has_second_place(signature, options) else (text,)
    if len(positional) == 1 and _takes_by_name(signature, "run"):
        named["run"] = run
    signature.bind(*positional, **named)
    return positional, named


def _plain_places(target: Any) -> int | None:
    """How many arguments a function takes that takes nothing but positional ones without defaults; else None.

    The usual agent is one. Its signature would tell the same, for half a millisecond: in a process that was just
    forked all that `inspect` touches has to be copied first.
    """
    if type(target) is not FunctionType or target.__dict__ or target.__defaults__:
        return None
    code = target.__code__
    more = code.co_kwonlyargcount or code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS)
    return None if more else code.co_argcount


def _has_second_place(signature: inspect.Signature, options: Mapping[str, Any]) -> bool:
    """Whether the second positional parameter is for the run: not an option, given or with a default."""
    parameters = signature.parameters.values()
    places = [each for each in parameters if each.kind in _POSITIONAL]
    if len(places) < 2:
        return any(each.kind is each.VAR_POSITIONAL for each in parameters)
    second = places[1]
    return second.name not in options and (second.default is second.empty or second.name == "run")


def _takes_by_name(signature: inspect.Signature, name: str) -> bool:
    """Whether there is such a parameter, after the first, which is the input's whatever it is called."""
    return any(
        each.name == name and each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)
        for place, each in enumerate(signature.parameters.values())
        if place > 0 or each.kind is each.KEYWORD_ONLY
    )
