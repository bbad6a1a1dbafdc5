"""Whatever is written in whatever order, pages of any size read it back without a gap or a repeat."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runward.actors.journal.reader import Batch, Reader
from runward.actors.journal.writer import Writer
from runward.actors.records import RunRecord, Status

from .making import GIVEN, a_record, everything, lines

RUNS = 3

# Which run gets a batch, of how many events, after how many numbers that were skipped (a power loss), and
# whether the turn ends there.
turns = st.lists(
    st.tuples(st.integers(0, RUNS - 1), st.integers(1, 6), st.sampled_from([0, 0, 0, 4]), st.booleans()),
    max_size=40,
)
records: st.SearchStrategy[list[dict[str, Any]]] = st.lists(
    st.builds(
        dict,
        status=st.sampled_from(Status),
        agent=st.sampled_from(["echo", "other"]),
        owner=st.sampled_from(["", "key"]),
        session_id=st.sampled_from([None, "s1", "s2"]),
        parent_run_id=st.sampled_from([None, "run_0"]),
    ),
    max_size=25,
)
filters = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(Status),
        "agent": st.sampled_from(["echo", "unknown"]),
        "owner": st.sampled_from(["", "key"]),
        "session_id": st.sampled_from(["s1", "s3"]),
        "parent_run_id": st.just("run_0"),
    },
)


@contextlib.contextmanager
def journal() -> Iterator[tuple[Writer, Reader]]:
    with tempfile.TemporaryDirectory() as folder:
        writer = Writer(Path(folder))
        reader = Reader(Path(folder))
        try:
            yield writer, reader
        finally:
            reader.close()
            writer.close()


def write(writer: Writer, turns: list[tuple[int, int, int, bool]]) -> dict[int, list[Batch]]:
    """Write the batches; what each run holds."""
    written: dict[int, list[Batch]] = {writer.add_run(a_record(f"run_{n}"), GIVEN): [] for n in range(RUNS)}
    keys = list(written)
    for run, count, skipped, ends in turns:
        batches = written[keys[run]]
        first = (batches[-1].last if batches else 0) + skipped + 1
        batches.append(Batch(first, first + count - 1, lines(first, first + count - 1)))
        writer.append(keys[run], *batches[-1])
        if ends:
            writer.commit()
    writer.commit()
    return written


@settings(deadline=None)
@given(turns, st.integers(0, 50), st.integers(1, 2000))
def test_batches_read_back_in_order_from_any_event(
    turns: list[tuple[int, int, int, bool]], after: int, max_bytes: int
) -> None:
    with journal() as (writer, reader):
        for key, batches in write(writer, turns).items():
            assert everything(reader, key, after, max_bytes) == [b for b in batches if b.last > after]
            assert writer.last_seq(key) == (batches[-1].last if batches else 0)
            last = reader.last(key)
            assert (last and last.seq) == (batches[-1].last if batches else None)


def listed(reader: Reader, limit: int, wanted: dict[str, Any]) -> list[RunRecord]:
    """All pages of a listing."""
    page = reader.runs(limit=limit, **wanted)
    found = page.records
    while page.next is not None:
        assert len(page.records) == limit
        assert page.has_more
        page = reader.runs(limit=limit, before=page.next, **wanted)
        found += page.records
    assert not page.has_more
    return found


@settings(deadline=None)
@given(records, filters, st.integers(1, 10))
def test_pages_of_a_listing_hold_every_run_that_matches_once(
    records: list[dict[str, Any]], wanted: dict[str, Any], limit: int
) -> None:
    runs = [a_record(f"run_{n}", **fields) for n, fields in enumerate(records)]
    with journal() as (writer, reader):
        for run in runs:
            writer.add_run(run, GIVEN)
        writer.commit()
        matching = [run for run in runs if all(getattr(run, name) == value for name, value in wanted.items())]
        assert listed(reader, limit, wanted) == matching[::-1]


@pytest.fixture(scope="module")
def any_reader() -> Iterator[Reader]:
    with journal() as (_, reader):
        yield reader


@given(cursor=st.text() | st.text("ABCxyz019-_=", min_size=9, max_size=13))
def test_any_text_is_a_cursor_or_refused(any_reader: Reader, cursor: str) -> None:
    with contextlib.suppress(ValueError):
        assert any_reader.runs(before=cursor).records == []
