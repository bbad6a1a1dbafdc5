"""Lines to frames, as bytes."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runward.http import frames
from runward.http.frames import Slice
from runward.http.paging import Gap

RUN = "run_1"


def lines(*events: dict[str, Any]) -> bytes:
    return b"".join(msgspec.json.encode(event) + b"\n" for event in events)


def read_back(stream: bytes) -> list[tuple[int, dict[str, Any]]]:
    """As an SSE parser does: split at blank lines, then at newlines (and nothing else would do for str)."""
    read = []
    for block in stream.split(b"\n\n")[:-1]:
        id_line, data_line = block.split(b"\n")
        assert id_line.startswith(b"id: ")
        assert data_line.startswith(b"data: ")
        read.append((int(id_line[4:]), msgspec.json.decode(data_line[6:])))
    return read


def test_a_frame_is_an_id_and_the_event_with_its_run_and_number() -> None:
    made = frames.frames(
        RUN, 7, lines({"event": "a", "timestamp": 1.5}, {"event": "b", "timestamp": 2.5, "x": [1]})
    )
    assert made == (
        b'id: 7\ndata: {"run_id":"run_1","seq":7,"event":"a","timestamp":1.5}\n\n'
        b'id: 8\ndata: {"run_id":"run_1","seq":8,"event":"b","timestamp":2.5,"x":[1]}\n\n'
    )


EVENT = st.fixed_dictionaries(
    {"event": st.text(min_size=1), "timestamp": st.floats(0, 2e9)}, optional={"delta": st.text()}
)


@given(st.lists(EVENT, min_size=1, max_size=8), st.integers(1, 10**12))
def test_any_events_come_back_from_their_frames(events: list[dict[str, Any]], first: int) -> None:
    read = read_back(frames.frames(RUN, first, lines(*events)))
    assert read == [(seq, {"run_id": RUN, "seq": seq, **event}) for seq, event in enumerate(events, first)]


@given(st.lists(EVENT, min_size=1, max_size=8), st.data())
def test_a_slice_after_a_number_is_its_rest(events: list[dict[str, Any]], data: st.DataObject) -> None:
    whole = Slice(RUN, 11, 10 + len(events), lines(*events))
    seq = data.draw(st.integers(0, 9 + len(events)))
    rest = whole.after(seq)
    assert (rest.first, rest.last) == (max(11, seq + 1), whole.last)
    assert whole.frames().endswith(rest.frames())
    assert len(read_back(rest.frames())) == rest.last - rest.first + 1


@given(st.lists(EVENT, min_size=1, max_size=8), st.integers(1, 200), st.booleans())
def test_pieces_of_a_slice_are_all_of_it_in_order_and_only_the_last_ends_the_run(
    events: list[dict[str, Any]], max_bytes: int, ended: bool
) -> None:
    whole = Slice(RUN, 11, 10 + len(events), lines(*events), ended)
    pieces = list(whole.pieces(max_bytes))
    assert b"".join(piece.frames() for piece in pieces) == whole.frames()
    assert [piece.first for piece in pieces] == [11, *(piece.last + 1 for piece in pieces[:-1])]
    assert [piece.ended for piece in pieces] == [False] * (len(pieces) - 1) + [ended]
    assert all(len(piece.lines) <= max_bytes or piece.first == piece.last for piece in pieces)


def test_a_gap_is_one_piece() -> None:
    gap = Gap(RUN, 3, 9)
    assert list(gap.pieces(1)) == [gap]


@pytest.mark.parametrize("event", ["run.completed", "run.failed", "run.cancelled"])
def test_the_last_line_tells_whether_the_run_is_over(event: str) -> None:
    end = {"event": event, "timestamp": 1.0, "output": "\n"}
    other = {"event": "message.delta", "timestamp": 1.0, "delta": f'"event":"{event}"'}
    assert frames.ends_run(lines(other, end))
    assert frames.ends_run(lines(end))
    assert not frames.ends_run(lines(end, other))


def test_a_gap_names_what_is_lost_and_lets_the_client_go_on_behind_it() -> None:
    assert read_back(frames.gap(RUN, 3, 9)) == [
        (9, {"run_id": RUN, "seq": 9, "event": "stream.gap", "from": 3, "to": 9})
    ]


def test_a_chunk_is_what_http_wants() -> None:
    assert frames.chunk(b"x" * 26) == b"1a\r\n" + b"x" * 26 + b"\r\n"
    part = Slice(RUN, 1, 1, lines({"event": "a"}))
    assert part.chunk() == frames.chunk(part.frames())
    assert part.chunk() is part.chunk()
