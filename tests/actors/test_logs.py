"""Logs in files: what came first and what came last are kept, and what was dropped is told."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runward.actors import logs
from runward.actors.logs import Log

RUN = "run_1"


@pytest.fixture
def state(tmp_path: Path) -> str:
    logs.prepare(str(tmp_path))
    return str(tmp_path)


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path / "log", os.O_RDWR | os.O_CREAT)
    yield descriptor
    os.close(descriptor)


def pieces(fd: int, position: int = 0, most: int = logs.BLOCK_BYTES) -> Iterator[tuple[int, bytes]]:
    """All that can be read from there, each with where it begins."""
    end = logs.layout(fd).done
    while position < end:
        piece = logs.read(fd, position, most)
        assert piece.text
        assert piece.start >= position
        yield piece
        position = piece.start + len(piece.text)


def whole(fd: int) -> bytes:
    """The log; each place where bytes were dropped shows as a bar."""
    text, position = b"", 0
    for start, piece in pieces(fd):
        text += (b"|" if start != position else b"") + piece
        position = start + len(piece)
    return text


def test_a_log_within_its_bound_is_a_file_of_plain_text(fd: int) -> None:
    log = Log(fd, 20)
    for text in (b"some\n", b"", b"more\n", b"0123456789"):
        log.add(text)
    assert os.pread(fd, 100, 0) == b"some\nmore\n0123456789"
    assert whole(fd) == b"some\nmore\n0123456789"


def test_a_log_over_its_bound_keeps_its_head_and_its_newest_bytes(fd: int) -> None:
    log = Log(fd, 20)
    for number in range(26):
        log.add(bytes([ord("a") + number]) * 3)
    assert whole(fd) == b"aaabbbcccd|wxxxyyyzzz"


def test_one_write_that_is_larger_than_all_is_kept_by_both_ends(fd: int) -> None:
    Log(fd, 10).add(b"01234" + b"x" * 1000 + b"56789")
    assert whole(fd) == b"01234|56789"


def test_the_file_does_not_grow_beyond_its_bound_by_more_than_a_few_bytes(fd: int) -> None:
    log = Log(fd, 1000)
    for _ in range(500):
        log.add(b"x" * 999)
    assert os.fstat(fd).st_size < 1100


texts = st.lists(st.binary(max_size=40), max_size=30)


@settings(max_examples=2 * settings().max_examples)
@given(texts=texts, bound=st.integers(2, 60), most=st.integers(1, 50))
def test_whatever_is_written_reading_gives_head_and_tail_each_byte_in_its_place(
    texts: list[bytes], bound: int, most: int
) -> None:
    said = b"".join(texts)
    fd = os.memfd_create("log")
    try:
        log = Log(fd, bound)
        for text in texts:
            log.add(text)
        assert logs.layout(fd).done == len(said)
        found = list(pieces(fd, 0, most))
        assert all(said[start : start + len(text)] == text for start, text in found)
        kept = {start + index for start, text in found for index in range(len(text))}
        head, ring = bound // 2, bound - bound // 2
        assert kept == {*range(min(head, len(said))), *range(max(0, len(said) - ring), len(said))} | (
            set(range(len(said))) if len(said) <= bound else set()
        )
    finally:
        os.close(fd)


@settings(max_examples=2 * settings().max_examples)
@given(
    said=st.lists(st.sampled_from([b"a", b"bb\n", b"\n", b"ccccc\n"]), max_size=40).map(b"".join),
    lines=st.integers(0, 12),
)
def test_the_tail_begins_where_the_last_lines_do(said: bytes, lines: int) -> None:
    fd = os.memfd_create("log")
    try:
        Log(fd, 1000).add(said)
        assert said[logs.tail_start(fd, lines) :] == b"".join(
            said.splitlines(keepends=True)[-lines:] if lines else []
        )
    finally:
        os.close(fd)


def test_the_tail_of_a_log_with_a_gap_goes_on_in_its_head(fd: int) -> None:
    log = Log(fd, 40)
    for number in range(100):
        log.add(b"line %02d\n" % number)
    assert whole(fd) == b"line 00\nline 01\nline| 97\nline 98\nline 99\n"
    tails = {lines: logs.tail_start(fd, lines) for lines in (1, 2, 3, 4, 5, 6)}
    assert tails == {1: 792, 2: 784, 3: 780, 4: 16, 5: 8, 6: 0}


def test_a_reader_that_fell_behind_goes_on_with_what_is_left(fd: int) -> None:
    log = Log(fd, 20)
    log.add(b"0123456789abc")
    assert logs.read(fd, 10) == (10, b"abc")
    log.add(b"x" * 100)
    log.add(b"newest")
    assert list(pieces(fd, 13)) == [(109, b"x"), (110, b"xxxnewest")]


def test_a_write_that_was_broken_off_takes_nothing_from_what_was_whole(fd: int) -> None:
    log = Log(fd, 20)
    log.add(b"0123456789" + b"abcdefghij" + b"ABCDE")
    assert whole(fd) == b"0123456789|fghijABCDE"
    trailer = logs._TRAILER.pack(logs._MAGIC, 10, 10, 28, 25)  # begun: 3 bytes more; done: not yet
    os.pwrite(fd, trailer, 20)
    assert whole(fd) == b"0123456789|ijABCDE"


def test_a_disk_without_room_ends_neither_the_warden_nor_what_was_kept(
    fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log(fd, 20)
    log.add(b"kept")

    def no_room(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", no_room)
        log.add(b" lost")
    log.add(b" again")
    assert whole(fd) == b"kept again"


@given(st.binary(max_size=60), st.lists(st.integers(0, 2**64 - 1), min_size=4, max_size=4))
def test_an_agent_that_writes_what_looks_like_a_trailer_harms_no_reader(
    said: bytes, numbers: list[int]
) -> None:
    fd = os.memfd_create("log")
    try:
        os.write(fd, said + logs._TRAILER.pack(logs._MAGIC, *numbers))
        logs.layout(fd)
        logs.read(fd, 0)
        logs.tail_start(fd, 3)
        Log(fd, 100).add(b"more")
    finally:
        os.close(fd)


def test_a_run_has_a_file_for_each_stream_that_nobody_else_may_read(state: str) -> None:
    descriptors = logs.open_all(state, RUN)
    assert sorted(os.listdir(f"{state}/logs")) == ["run_1.stderr", "run_1.stdout"]
    assert [os.stat(logs.path(state, RUN, stream)).st_mode & 0o777 for stream in logs.STREAMS] == [0o600] * 2
    assert os.stat(f"{state}/logs").st_mode & 0o777 == 0o700
    for descriptor in descriptors:
        os.close(descriptor)


def test_empty_files_go_with_the_run_and_the_others_with_its_deletion(state: str) -> None:
    out, err = logs.open_all(state, RUN)
    os.write(err, b"oops")
    logs.remove_empty(state, RUN)
    assert os.listdir(f"{state}/logs") == ["run_1.stderr"]
    logs.remove(state, RUN)
    logs.remove(state, RUN)
    assert os.listdir(f"{state}/logs") == []
    os.close(out)
    os.close(err)


@pytest.mark.parametrize("name", ["../journal", "a/b", "", ".", "run_1\n", "run\0"])
def test_a_name_that_is_no_runs_id_is_no_path(state: str, name: str) -> None:
    with pytest.raises(ValueError, match="not a run's id"):
        logs.path(state, name, "stdout")


def test_a_link_in_place_of_a_log_is_not_followed(state: str) -> None:
    os.symlink("/etc/passwd", logs.path(state, RUN, "stdout"))
    assert logs.open_one(state, RUN, "stdout") is None
    with pytest.raises(OSError, match="symbolic links"):
        logs.open_all(state, RUN)
