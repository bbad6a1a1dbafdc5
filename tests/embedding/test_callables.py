"""What can be sent to another process, and that it is the same there."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runward.actors.callables import NotShippable, packed, unpacked

CELLS = Path(__file__).with_name("cells.py")


def from_a_notebook(cells: str) -> Any:
    """The `target` that these cells define, as it arrives in this process."""
    sent = subprocess.run(
        [sys.executable, str(CELLS)], input=cells.encode(), capture_output=True, timeout=40, check=False
    )
    assert sent.returncode == 0, sent.stderr.decode()
    return unpacked(sent.stdout)


@pytest.mark.parametrize(
    ("cells", "answer"),
    [
        ("target = lambda text: text * 2", "hihi"),
        ("import json\ndef target(text):\n    return json.dumps([text])", '["hi"]'),
        ("times = 3\ndef target(text):\n    return text * times", "hihihi"),
        ("def again(text):\n    return text + '!'\ndef target(text):\n    return again(again(text))", "hi!!"),
        ("def target(text):\n    return text if len(text) > 5 else target(text * 2)", "hihihihi"),
        ("def make(times):\n    return lambda text: text * times\ntarget = make(2)", "hihi"),
        (
            "class Shout:\n    mark = '!'\n    def __call__(self, text):\n        return text + self.mark\n"
            "target = Shout()",
            "hi!",
        ),
        (
            "class Base:\n    def say(self, text):\n        return text + '?'\n"
            "class Asks(Base):\n    def say(self, text):\n        return super().say(text)\n"
            "target = Asks().say",
            "hi?",
        ),
        (
            "from functools import partial\ndef join(a, b):\n    return a + b\ntarget = partial(join, 'x')",
            "xhi",
        ),
        ("target = str.upper", "HI"),
    ],
)
def test_what_a_notebook_defines_answers_elsewhere_as_it_does_there(cells: str, answer: str) -> None:
    assert from_a_notebook(cells)("hi") == answer


def test_an_async_function_and_a_generator_arrive_as_what_they_are() -> None:
    target = from_a_notebook("async def target(text):\n    return text + '!'")
    assert asyncio.run(target("hi")) == "hi!"
    target = from_a_notebook("suffix = '!'\ndef target(text):\n    yield text\n    yield suffix")
    assert isinstance(target("hi"), Iterator)
    assert "".join(target("hi")) == "hi!"


def test_of_a_notebooks_globals_only_what_is_used_goes_along() -> None:
    cells = "import threading\nlarge = 'x' * 1_000_000\nbusy = (i for i in [])\ntarget = lambda text: text"
    sent = subprocess.run([sys.executable, str(CELLS)], input=cells.encode(), capture_output=True, timeout=40)
    assert sent.returncode == 0, sent.stderr.decode()
    assert len(sent.stdout) < 10_000


def test_what_can_be_imported_travels_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "of_my_own.py").write_text("def agent(text):\n    return __name__\n")
    monkeypatch.syspath_prepend(tmp_path)
    from of_my_own import agent  # type: ignore[import-not-found]

    sent = packed(agent)
    assert len(sent) < 5_000
    found = subprocess.run(
        [
            sys.executable,
            "-c",
            f"from runward.actors.callables import unpacked; print(unpacked({sent!r})(''))",
        ],
        capture_output=True,
        text=True,
        timeout=40,
        check=True,
    )
    assert found.stdout == "of_my_own\n"


def test_what_would_be_missing_on_the_other_side_is_refused_here() -> None:
    cells = "import enum\nclass Colour(enum.Enum):\n    RED = 1\ntarget = lambda text: Colour.RED.name"
    sent = subprocess.run([sys.executable, str(CELLS)], input=cells.encode(), capture_output=True, timeout=40)
    assert sent.returncode == 1
    assert b"NotShippable: <lambda> can't be shipped" in sent.stderr
    assert b"Colour" in sent.stderr


@pytest.mark.parametrize("held", [(number for number in [1]), memoryview(b"x")])
def test_what_can_not_be_sent_is_refused_with_its_name(held: object) -> None:
    def agent(text: str) -> object:
        return held

    with pytest.raises(NotShippable, match="agent can't be shipped"):
        packed(agent)
