import functools
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

from runward.actors.entrypoints import arguments, kind_of, load
from runward.actors.records import Kind

from .agents import bad, conversations, functions, patient

HERE = "tests.actors.agent.agents"


@pytest.fixture(autouse=True)
def _imports_leave_no_trace() -> Iterator[None]:
    path, modules = list(sys.path), dict(sys.modules)
    yield
    sys.path[:] = path
    for name in sys.modules.keys() - modules.keys():
        del sys.modules[name]


def a_method(text: str) -> None: ...


KINDS = [
    (functions.returns, Kind.FUNCTION),
    (functions.takes_run_by_name, Kind.FUNCTION),
    (functions.partial, Kind.FUNCTION),
    (functions.instance.method, Kind.FUNCTION),
    (functions.returns_an_iterator, Kind.FUNCTION),
    (lambda text: text, Kind.FUNCTION),
    (lambda *texts: texts, Kind.FUNCTION),
    (lambda text, /, *, run=None, **more: more, Kind.FUNCTION),
    (lambda *, text: text, Kind.CONVERSATION),
    (lambda **texts: texts, Kind.CONVERSATION),
    (lambda text, *more, stream_delta_callback: more, Kind.CONVERSATION),
    (print, Kind.FUNCTION),
    (len, Kind.FUNCTION),
    (functions.awaits, Kind.ASYNC_FUNCTION),
    (functools.partial(functools.partial(functions.awaits), run=None), Kind.ASYNC_FUNCTION),
    (functions.generates, Kind.GENERATOR),
    (functions.instance, Kind.GENERATOR),
    (functools.partial(functions.generates), Kind.GENERATOR),
    (functions.generates_async, Kind.ASYNC_GENERATOR),
    (patient.generates_async, Kind.ASYNC_GENERATOR),
    (conversations.Talker, Kind.CONVERSATION),
    (conversations.instance, Kind.CONVERSATION),
    (functools.partial(conversations.Talker, mood="partial"), Kind.CONVERSATION),
    (conversations.factory, Kind.CONVERSATION),
    (conversations.annotated_factory, Kind.CONVERSATION),
    (bad.takes_nothing, Kind.CONVERSATION),
]


@pytest.mark.parametrize(("target", "kind"), KINDS)
def test_the_kind_is_told_by_looking(target: Any, kind: Kind) -> None:
    assert kind_of(target) is kind


@pytest.mark.parametrize(("target", "kind"), [each for each in KINDS if type(each[0]) is FunctionType])
def test_a_function_that_a_decorator_has_marked_is_of_the_same_kind(target: Any, kind: Kind) -> None:
    marked = FunctionType(target.__code__, target.__globals__, None, target.__defaults__, target.__closure__)
    marked.__annotations__, marked.__kwdefaults__ = target.__annotations__, target.__kwdefaults__
    vars(marked)["mark"] = True
    assert kind_of(marked) is kind


@pytest.mark.parametrize(
    ("target", "complaint"),
    [
        (bad.not_callable, "it is a int, which can't be called"),
        (bad.NoConversation, "NoConversation is a class without run_conversation"),
        (None, "it is a NoneType, which can't be called"),
    ],
)
def test_what_is_no_agent_is_refused_with_a_reason(target: Any, complaint: str) -> None:
    with pytest.raises(TypeError, match=complaint):
        kind_of(target)


RUN = object()

CALLS: list[tuple[Callable[..., Any], dict[str, Any], tuple[Any, ...], dict[str, Any]]] = [
    (lambda text: 0, {}, ("in",), {}),
    (lambda text, run: 0, {}, ("in", RUN), {}),
    (lambda question, whatever: 0, {}, ("in", RUN), {}),
    (lambda *args: 0, {}, ("in", RUN), {}),
    (lambda text, *args: 0, {}, ("in", RUN), {}),
    (lambda text, **named: 0, {"a": 1}, ("in",), {"a": 1}),
    (lambda text, run=None: 0, {}, ("in", RUN), {}),
    (lambda text, greeting="hi": 0, {}, ("in",), {}),
    (lambda text, greeting="hi": 0, {"greeting": "ho"}, ("in",), {"greeting": "ho"}),
    (lambda text, greeting, run: 0, {"greeting": "ho"}, ("in",), {"greeting": "ho", "run": RUN}),
    (lambda text, run, greeting="hi": 0, {"greeting": "ho"}, ("in", RUN), {"greeting": "ho"}),
    (lambda text, *, run: 0, {}, ("in",), {"run": RUN}),
    (lambda run: 0, {}, ("in",), {}),
    (lambda run, greeting: 0, {"greeting": "ho"}, ("in",), {"greeting": "ho"}),
    (lambda text, *, greeting="hi": 0, {}, ("in",), {}),
    (lambda text, /, run: 0, {}, ("in", RUN), {}),
    (functions.partial, {}, ("in", RUN), {}),
    (functions.instance, {}, ("in",), {}),
    (functions.instance.method, {}, ("in", RUN), {}),
    (functions.decorated, {}, ("in",), {}),
]


@pytest.mark.parametrize(("target", "options", "positional", "named"), CALLS)
def test_a_function_gets_the_run_where_it_has_a_place_for_it(
    target: Callable[..., Any],
    options: dict[str, Any],
    positional: tuple[Any, ...],
    named: dict[str, Any],
) -> None:
    assert arguments(target, "in", RUN, options) == (positional, named)


def test_a_callable_without_a_signature_gets_the_input_alone() -> None:
    assert arguments(dict.fromkeys, "in", RUN, {}) in [(("in",), {}), (("in", RUN), {})]
    assert arguments(type, "in", RUN, {}) == (("in",), {})


@pytest.mark.parametrize(
    ("target", "options", "complaint"),
    [
        (functions.returns, {"tone": 1, "size": 2}, "takes no option 'size', 'tone'"),
        (functions.takes_options, {"tone": 1}, r"takes no option 'tone'; it is \(_: str, run"),
        (bad.takes_three, {}, "missing a required argument: 'three'"),
        (lambda text, *, needed: 0, {}, "missing a required argument: 'needed'"),
        (functions.returns, {"text": "x"}, "multiple values for argument 'text'"),
        (lambda *, run: 0, {}, "too many positional arguments"),
    ],
)
def test_a_call_that_cannot_be_made_is_refused_before_it_is_made(
    target: Callable[..., Any], options: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(TypeError, match=complaint):
        arguments(target, "in", RUN, options)


def test_a_module_entrypoint_is_imported_and_its_attribute_may_be_dotted() -> None:
    assert load(f"{HERE}.functions:returns") is functions.returns
    assert load(f"{HERE}.functions:instance.method") == functions.instance.method


def test_a_module_is_looked_for_in_the_import_root_first(tmp_path: Path) -> None:
    (tmp_path / "colorsys.py").write_text("agent = 'mine'")
    sys.modules.pop("colorsys", None)
    assert load("colorsys:agent", str(tmp_path)) == "mine"


def test_a_file_entrypoint_may_import_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "my-agent.py").write_text("from the_neighbour import agent\nlist = [agent]")
    (tmp_path / "the_neighbour.py").write_text("agent = 'next door'")
    assert load(f"{tmp_path}/my-agent.py:agent") == "next door"
    assert sys.modules["my-agent"].__file__ == f"{tmp_path}/my-agent.py"


def test_a_file_named_like_a_loaded_module_does_not_take_its_place(tmp_path: Path) -> None:
    (tmp_path / "random.py").write_text("def agent(text): ...")
    assert load(f"{tmp_path}/random.py:agent").__module__ == "agent_random"
    assert sys.modules["random"] is random


def test_a_file_that_was_preloaded_is_not_imported_again(tmp_path: Path) -> None:
    (tmp_path / "counted.py").write_text("import sys\nsys.times = getattr(sys, 'times', 0) + 1\nagent = 1")
    load(f"{tmp_path}/counted.py:agent")
    load(f"{tmp_path}/counted.py:agent")
    assert sys.__dict__.pop("times") == 1


@pytest.mark.parametrize(
    ("entrypoint", "error", "complaint"),
    [
        ("nope:agent", ModuleNotFoundError, "No module named 'nope'"),
        (f"{HERE}.functions:nope", AttributeError, "has no attribute 'nope'"),
        (f"{HERE}.functions:returns.nope", AttributeError, "has no attribute 'nope'"),
        ("/nowhere/at_all.py:agent", FileNotFoundError, "/nowhere/at_all.py"),
        (f"{HERE}.breaks_at_import:agent", OSError, "no such luck"),
        (f"{HERE}.leaves_at_import:agent", SystemExit, "no, thank you"),
    ],
)
def test_what_cannot_be_loaded_says_why(entrypoint: str, error: type[BaseException], complaint: str) -> None:
    with pytest.raises(error, match=complaint):
        load(entrypoint)
