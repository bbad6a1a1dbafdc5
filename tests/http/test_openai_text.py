"""What a run said, gathered from its events and its record."""

import tracemalloc
from typing import Any

import msgspec
import pytest

from runward.actors.records import Reason, RunRecord, Status
from runward.http import openai_text
from runward.http.frames import Slice
from runward.http.openai_text import Said
from runward.http.paging import Gap


def _record(output: Any = None, reason: Reason = Reason.COMPLETED) -> RunRecord:
    raw = None if output is None else msgspec.Raw(msgspec.json.encode(output))
    return RunRecord(
        run_id="run_1",
        agent="a",
        created_at=0.0,
        updated_at=0.0,
        status=Status.COMPLETED,
        reason=reason,
        output=raw,
    )


def _slice(*events: dict[str, Any]) -> Slice:
    return Slice("run_1", 1, len(events), b"".join(msgspec.json.encode(event) + b"\n" for event in events))


def _heard(*deltas: str) -> Said:
    said = Said()
    assert said.hear(_slice(*({"event": "message.delta", "delta": each} for each in deltas))) == list(deltas)
    return said


@pytest.mark.parametrize(
    ("deltas", "output", "text", "rest"),
    [
        ((), None, "", ""),
        (("a", "b"), None, "ab", ""),
        (("a", "b"), "abc", "abc", "c"),
        ((), "abc", "abc", "abc"),
        (("a", "b"), "xyz", "xyz", ""),
        (("a",), "", "", ""),
        ((), {"a": [1]}, '{"a":[1]}', '{"a":[1]}'),
    ],
)
def test_the_output_counts_and_else_what_was_streamed(
    deltas: tuple[str, ...], output: Any, text: str, rest: str
) -> None:
    end = _heard(*deltas).end(_record(output))
    assert (end.text, end.rest, end.whole) == (text, rest, True)


def test_too_much_is_cut_and_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_text, "LONGEST_TEXT", 5)
    said = _heard("abc", "def", "ghi")
    assert said.end(_record())[2:5] == ("abcde", "", False)
    assert said.end(_record("abcdefghi!"))[2:5] == ("abcdefghi!", "", True)  # of which all but ! was streamed


def test_a_text_of_many_small_pieces_is_whole_and_weighs_little_more_than_it_is_long() -> None:
    deltas, said = ["ab", "c", "é"] * 50_000, Said()
    tracemalloc.start()
    for first in range(0, len(deltas), 1000):
        said.hear(
            _slice(*({"event": "message.delta", "delta": each} for each in deltas[first : first + 1000]))
        )
    held_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held_bytes < 2_000_000  # kept one by one they were 6,300,000
    assert said.end(_record()).text == "".join(deltas)


def test_what_is_no_delta_of_the_message_is_no_text() -> None:
    said = Said()
    others: list[dict[str, Any]] = [
        {"event": "reasoning.delta", "delta": "r"},
        {"event": "tool.started", "tool": "t", "delta": ["x"]},
        {"event": "my.own", "delta": "m"},
        {"event": "message.delta", "delta": {"not": "text"}},
    ]
    assert said.hear(_slice(*others)) == []
    assert not said.started
    said.hear(_slice({"event": "run.started"}))
    assert said.started


def test_a_gap_is_a_hole_in_the_text_but_not_in_the_output() -> None:
    said = _heard("a")
    said.hear(Gap("run_1", 2, 9))
    assert said.end(_record())[2:5] == ("a", "", False)
    assert said.end(_record("abc"))[2:5] == ("abc", "", True)


def test_an_answer_that_was_ended_for_its_length_is_not_whole() -> None:
    assert not _heard("a").end(_record("a", Reason.OUTPUT_LIMIT)).whole
