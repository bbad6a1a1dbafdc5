"""Bytes to frames: every way that the standard allows, cut at every place."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runward.http.sse_reader import Frame, SseReader


def frames(*chunks: bytes) -> list[Frame]:
    reader = SseReader()
    return [frame for chunk in chunks for frame in reader.feed(chunk)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"id: 1\ndata: a\n\n", [Frame("1", "a")]),
        (b"data:a\n\n", [Frame("", "a")]),
        (b"data:  a\n\n", [Frame("", " a")]),
        (b"data: a\ndata: b\n\n", [Frame("", "a\nb")]),
        (b"data\n\n", [Frame("", "")]),
        (b"id: 1\r\ndata: a\r\n\r\n", [Frame("1", "a")]),
        (b"id: 1\rdata: a\r\r", []),  # the last return may be half of a line's end
        (b"id: 1\rdata: a\r\r:\n", [Frame("1", "a")]),
        (b": keepalive\n\ndata: a\n\n", [Frame("", "a")]),
        (b"\n\n\ndata: a\n\n", [Frame("", "a")]),
        (b"id: 7\n\ndata: a\n\n", [Frame("7", "a")]),  # an id without data stays for the next
        (b"id: 1\ndata: a\n\ndata: b\n\n", [Frame("1", "a"), Frame("1", "b")]),
        (b"id: 1\0\ndata: a\n\n", [Frame("", "a")]),
        (b"event: x\nsomething: else\ndata: a\n\n", [Frame("", "a")]),
        (b"\xef\xbb\xbfdata: a\n\n", [Frame("", "a")]),
        (b"data: a\n", []),
        (b"data: a", []),
        ("data: grüße\n\n".encode(), [Frame("", "grüße")]),
        (b"data: \xff\n\n", [Frame("", "�")]),
        (
            "data: a\u2028b\n\n".encode(),
            [Frame("", "a\u2028b")],
        ),  # no line's end, whatever str.splitlines says
    ],
)
def test_a_stream_is_read_as_the_standard_tells_it(text: bytes, expected: list[Frame]) -> None:
    assert frames(text) == expected


STREAM = (
    "\ufeffretry: 5\n\n"
    "id: 1\r\ndata: grüße\r\n\r\n"
    ": keepalive\n\n"
    "id: 2\rdata: a\rdata: b\r\r\n"
    "id: 3\ndata\n\n"
)


@given(st.lists(st.integers(0, len(STREAM.encode())), max_size=8))
def test_it_does_not_matter_where_the_bytes_are_cut(cuts: list[int]) -> None:
    text = STREAM.encode()
    edges = [0, *sorted(cuts), len(text)]
    chunks = [text[start:end] for start, end in itertools.pairwise(edges)]
    assert frames(*chunks) == [Frame("1", "grüße"), Frame("2", "a\nb"), Frame("3", "")]


@pytest.mark.parametrize(("said", "kept"), [(b"1500", 1500), (b"soon", None), (b"-1", None), (b"", None)])
def test_the_servers_wish_for_the_time_between_connections_is_kept(said: bytes, kept: int | None) -> None:
    reader = SseReader()
    assert not list(reader.feed(b"retry: " + said + b"\n\n"))
    assert reader.retry_ms == kept
