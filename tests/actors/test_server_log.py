"""The server's log: lines that a machine or a person reads, and that nobody has to read."""

import fcntl
import json
import os
from collections.abc import Iterator

import pytest

from runward.actors.server_log import LONGEST, ServerLog


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    os.set_blocking(ends[0], False)
    yield ends
    for fd in ends:
        try:
            os.close(fd)
        except OSError:
            pass  # the test did


def lines(fd: int) -> list[str]:
    text = b""
    try:
        while piece := os.read(fd, 65_536):
            text += piece
    except BlockingIOError:
        pass
    return text.decode().splitlines()


def test_for_a_machine_a_line_is_an_object(pipe: tuple[int, int]) -> None:
    log = ServerLog("facade 1", as_json=True, fd=pipe[1])
    log.say("audit", action="POST /v1/runs", key="olga", run_id="run_1")
    (line,) = map(json.loads, lines(pipe[0]))
    assert line.pop("at") > 1e9
    assert line == {
        "level": "info", "process": "facade 1", "message": "audit",
        "action": "POST /v1/runs", "key": "olga", "run_id": "run_1",
    }  # fmt: skip


def test_for_a_person_it_is_a_sentence(pipe: tuple[int, int]) -> None:
    ServerLog("root", as_json=False, fd=pipe[1]).say("facade 1 ended", "error", code=3)
    assert lines(pipe[0]) == ["runward: facade 1 ended code=3"]


def test_a_terminal_is_sent_nothing_that_it_would_obey(pipe: tuple[int, int]) -> None:
    ServerLog("root", as_json=False, fd=pipe[1]).say(
        "audit", run_id="\x1b[31m\x07\r\x9b\n", trace="one\ntwo\x1b"
    )
    assert lines(pipe[0]) == ["runward: audit run_id=?[31m????", "one", "two?"]


def test_what_somebody_put_into_a_path_is_not_taken_for_other_fields(pipe: tuple[int, int]) -> None:
    path = 'run_1" key=admin status=200'
    ServerLog("root", as_json=False, fd=pipe[1]).say("audit", run_id=path, status=404)
    assert lines(pipe[0]) == [r'runward: audit run_id="run_1\" key=admin status=200" status=404']


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize("text", ["x" * 10_000, "\x00" * 10_000, "é" * 10_000, "\n"])
def test_a_line_is_one_line_that_a_pipe_takes_in_one_piece(
    pipe: tuple[int, int], as_json: bool, text: str
) -> None:
    ServerLog("root", as_json, fd=pipe[1]).say(text, trace=text)
    written = os.read(pipe[0], 1 << 20)
    assert 0 < len(written) <= LONGEST
    assert written.endswith(b"\n")
    if as_json:
        assert written.count(b"\n") == 1
        assert json.loads(written)["message"]


def test_what_nobody_reads_is_dropped_and_counted_and_never_waited_for(pipe: tuple[int, int]) -> None:
    fcntl.fcntl(pipe[1], fcntl.F_SETPIPE_SZ, 4096)
    log = ServerLog("root", as_json=True, fd=pipe[1])
    for number in range(500):
        log.say(f"line {number}")
    read = [json.loads(line) for line in lines(pipe[0])]
    assert 0 < len(read) < 500
    log.say("the next")
    (line,) = map(json.loads, lines(pipe[0]))
    assert (line["message"], line["lines_dropped"]) == ("the next", 500 - len(read))


def test_a_reader_that_has_left_ends_nobody(pipe: tuple[int, int]) -> None:
    os.close(pipe[0])
    ServerLog("root", as_json=True, fd=pipe[1]).say("nobody hears this")
