"""What an adapter tells becomes events, in one vocabulary."""

import json
import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from runward.actors.calling import Deltas
from runward.actors.channel import Channel
from runward.actors.frameworks.narration import LONGEST_PREVIEW, Narration, plain, preview, text_of
from runward.actors.interruption import Interruption
from runward.actors.records import RunInput, Usage
from runward.actors.run import Run


class Told:
    """A narration with a clock that stands still until it is set, and what came of it."""

    def __init__(self) -> None:
        self._up, up = os.pipe()
        down, self._down = socket.socketpair()
        self.channel = Channel(down.detach(), up)
        self.now = 100.0
        self.run = Run("run_1", RunInput(input="hi"), self.channel, Interruption())
        self.narration = Narration(self.run, self.channel, Deltas(self.channel), lambda: self.now)

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in os.read(self._up, 65_536).splitlines()]

    def close(self) -> None:
        self.channel.close()
        self._down.close()
        os.close(self._up)


@pytest.fixture
def told() -> Iterator[Told]:
    made = Told()
    yield made
    made.close()


def test_text_and_thoughts_are_deltas_and_nothing_is_none(told: Told) -> None:
    for say in (told.narration.text, told.narration.reasoning):
        say("some")
        say("")
        say(None)
    assert told.events() == [
        {"event": "message.delta", "delta": "some"},
        {"event": "reasoning.delta", "delta": "some"},
    ]


def test_tools_at_work_at_once_are_told_apart_by_the_id_of_the_call(told: Told) -> None:
    told.narration.tool_started("a", "look", {"word": "one"})
    told.now += 1
    told.narration.tool_started("b", "look", {"word": "two"})
    told.now += 2
    told.narration.tool_completed("a")
    told.narration.tool_completed("b", error=True)
    told.narration.tool_completed("c", tool="unannounced")
    assert told.events() == [
        {"event": "tool.started", "tool": "look", "preview": "one"},
        {"event": "tool.started", "tool": "look", "preview": "two"},
        {"event": "tool.completed", "tool": "look", "duration": 3.0, "error": False},
        {"event": "tool.completed", "tool": "look", "duration": 2.0, "error": True},
        {"event": "tool.completed", "tool": "unannounced", "duration": 0.0, "error": False},
    ]


def test_all_tools_at_work_can_be_ended_at_once(told: Told) -> None:
    told.narration.tool_started("a", "one", {})
    told.narration.tool_started("b", "two", {})
    told.narration.tools_completed(error=True)
    told.narration.tools_completed()
    assert [event["tool"] for event in told.events()] == ["one", "two", "one", "two"]


def test_usage_is_what_was_last_told_or_added(told: Told) -> None:
    told.narration.used(10, None)
    assert told.run.used == Usage(10, 0, 10)
    told.narration.used_more(5, 7)
    assert told.run.used == Usage(15, 7, 22)


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ({"command": "echo hi"}, "echo hi"),
        ('{"command": "echo hi"}', "echo hi"),
        ({"x": 1, "y": 2}, '{"x": 1, "y": 2}'),
        ({"x": 1}, '{"x": 1}'),
        ("no JSON", "no JSON"),
        ({}, "{}"),
        (None, "null"),
        ({"a": object, "b": 1}, '{"a": "<class \'object\'>", "b": 1}'),
    ],
)
def test_a_preview_is_the_one_text_or_json(arguments: Any, shown: str) -> None:
    assert preview(arguments) == shown


def test_a_preview_is_short() -> None:
    assert preview("x" * LONGEST_PREVIEW) == "x" * LONGEST_PREVIEW
    assert preview("x" * 1000) == "x" * (LONGEST_PREVIEW - 1) + "…"


class Model:
    """Dumps itself as pydantic's models do."""

    def model_dump(self, mode: str) -> dict[str, str]:
        return {"mode": mode}


def test_models_are_plain_in_whatever_they_are() -> None:
    assert plain({"a": [Model(), 1], "b": (Model(),)}) == {
        "a": [{"mode": "json"}, 1],
        "b": [{"mode": "json"}],
    }
    assert plain(Model) is Model


def test_text_of_a_type_of_its_own_is_plain_text() -> None:
    assert type(plain({"a": [type("Text", (str,), {})("hello")]})["a"][0]) is str


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("text", "text"),
        ([{"type": "text", "text": "in "}, {"type": "image"}, {"type": "text", "text": "parts"}], "in parts"),
        (None, ""),
        ([{"text": None}, "odd"], ""),
    ],
)
def test_the_text_of_a_message_is_read_whatever_its_form(content: Any, text: str) -> None:
    assert text_of(content) == text
