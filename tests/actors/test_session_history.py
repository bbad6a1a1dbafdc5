"""What a run is told of its session: newest first within bounds, of its own key, and only what was begun."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runward.actors.journal import sessions
from runward.actors.journal.sessions import Said
from runward.actors.journal.writer import Writer
from runward.actors.live_run import LiveRun
from runward.actors.records import RunInput, RunRecord, Status
from runward.actors.session_history import SessionHistory, messages
from runward.config.sections import RunsSettings

from .houses import FakeHouse

MUCH = 1 << 20


def said(question: str, answer: Any = None, ended_at: float = 1.0) -> Said:
    output = None if answer is None else msgspec.Raw(json.dumps(answer).encode())
    return Said(question, output, ended_at)


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def agent(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


@pytest.mark.parametrize(
    ("newest_first", "most", "passed_on"),
    [
        ([], 9, []),
        ([said("b", "B"), said("a", "A")], 9, [user("a"), agent("A"), user("b"), agent("B")]),
        ([said("b"), said("a", "A")], 9, [user("a"), agent("A"), user("b")]),
        ([said("a", {"x": 1})], 9, [user("a"), agent('{"x": 1}')]),
        ([Said("a", msgspec.Raw(b"null"), 1.0)], 9, [user("a")]),
        ([said("b", "B"), said("a", "A")], 3, [user("b"), agent("B")]),  # no answer without its question
        ([said("b", "B"), said("a", "A")], 1, []),
        ([said("b"), said("a", "A")], 1, [user("b")]),
    ],
)
def test_what_was_said_becomes_messages(
    newest_first: list[Said], most: int, passed_on: list[dict[str, str]]
) -> None:
    assert messages(newest_first, most, MUCH) == passed_on


@given(st.lists(st.builds(said, st.text(), st.none() | st.text())), st.integers(0, 12), st.integers(0, 400))
def test_the_bounds_hold_and_nothing_is_left_out_in_between(
    newest_first: list[Said], most: int, most_bytes: int
) -> None:
    found = messages(newest_first, most, most_bytes)
    assert len(found) <= most
    assert not found or len(msgspec.json.encode(found)) <= most_bytes + len(found)
    everything = messages(newest_first, 1000, MUCH)
    assert found == everything[len(everything) - len(found) :]


class House:
    """A journal, and runs of it."""

    def __init__(self, folder: Path) -> None:
        self.writer = Writer(folder)
        self.numbers = 0

    def ended(self, text: str, answer: str | None, **fields: Any) -> None:
        """A run that is over."""
        self.numbers += 1
        at = float(self.numbers)
        record = RunRecord(
            **{
                "run_id": f"run_{self.numbers}",
                "agent": "a",
                "owner": "alice",
                "session_id": "s",
                "created_at": at,
                "updated_at": at,
                "started_at": at,
                "ended_at": at,
                "status": Status.COMPLETED,
                "output": None if answer is None else msgspec.Raw(json.dumps(answer).encode()),
                **fields,
            }
        )
        self.writer.add_run(record, RunInput(input=text))

    def given(self, settings: RunsSettings | None = None, most_bytes: int = MUCH, **fields: Any) -> RunInput:
        """What the next run is given."""
        wanted = {"owner": "alice", "session_id": "s", "session_history": True, **fields}
        record = RunRecord(run_id="run_x", agent="a", created_at=1.0, updated_at=1.0, **wanted)
        run = LiveRun(FakeHouse(), 1000, record, RunInput(input="next"))
        return SessionHistory(self.writer, settings or RunsSettings(), most_bytes).given(run)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path / "state")
    yield house
    house.writer.close()


def test_only_ended_runs_of_the_same_key_and_session_that_had_begun_count(house: House) -> None:
    house.ended("mine", "yes")
    house.ended("bob's", "no", owner="bob")
    house.ended("elsewhere", "no", session_id="t")
    house.ended("never began", None, status=Status.CANCELLED, started_at=None)
    house.ended("stopped", None, status=Status.CANCELLED)
    house.ended("live", None, status=Status.RUNNING, ended_at=None)
    assert house.given().history == [user("mine"), agent("yes"), user("stopped")]
    assert house.given(session_history=False).history == []
    assert house.given(session_id=None).history == []


def test_the_order_is_that_in_which_they_ended(house: House) -> None:
    house.ended("waited", "2", ended_at=9.0)
    house.ended("interrupted it", "1", ended_at=8.0)
    assert [each["content"] for each in house.given().history] == ["interrupted it", "1", "waited", "2"]


def test_the_bounds_are_those_of_the_settings_and_of_a_message(house: House) -> None:
    for number in range(20):
        house.ended(f"question {number}", "x" * 1000)
    assert [each["content"] for each in house.given(RunsSettings(history_messages=2)).history] == [
        "question 19",
        "x" * 1000,
    ]
    assert house.given(RunsSettings(history_messages=0)).history == []
    assert len(house.given(RunsSettings(history_bytes=2500)).history) == 4
    assert len(house.given(most_bytes=4096 + 2500).history) == 4


def test_what_others_keep_under_the_same_name_is_not_all_looked_at(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "LOOKED_AT", 3)
    house.ended("mine", "yes")
    house.ended("bob's", "no", owner="bob")
    assert house.given().history == [user("mine"), agent("yes")]
    for _ in range(2):
        house.ended("bob's", "no", owner="bob")
    assert house.given().history == []
