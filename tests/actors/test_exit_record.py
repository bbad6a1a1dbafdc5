"""The last word of a warden: only what the kernel said, and the claim as a claim."""

import os
import signal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runward.actors.containment import linux
from runward.actors.containment.reaping import SubreaperRounds
from runward.actors.exit_record import Ending
from runward.actors.messages.from_run import Claim, ExitRecord
from runward.actors.stdio import Tail

from .forks import in_a_fork

# ── the record ──────────────────────────────────────────────────────────────────────────────────


def recorded(how: str, rung: Any = None, more: int = 0) -> dict[str, Any]:
    """The record of an agent that ended like this, made in a child that is its warden."""

    def keep() -> dict[str, Any]:
        linux.become_subreaper()
        pid = os.fork()
        if pid == 0:
            _end(how)
        for _ in range(more):
            if os.fork() == 0:
                _end("stay")
        ending = Ending("echild", SubreaperRounds(), pid)
        if how != "stay":
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
            ending.reap_agent(rung)
        ending.began(10.0)
        ending.began(99.0)
        ending.kill_all("kill" if rung is None and how == "stay" else rung)
        ending.claim = Claim(kind="completed", output=b"1")
        record = ending.record(7, True, "tail", 12.5, 1_000.0)
        return {**msgspec.to_builtins(record, builtin_types=(bytes,)), "claim": record.claim is not None}

    said: dict[str, Any] = in_a_fork(keep)
    return said


def _end(how: str) -> None:
    signal.alarm(10)
    if how == "stay":
        while True:
            signal.pause()
    if how == "burn":
        sum(range(3_000_000))
    if how == "signal":
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
    os._exit(int(how) if how.isdecimal() else 0)


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize(
    ("how", "code", "number"),
    [("0", 0, None), ("1", 1, None), ("255", 255, None), ("signal", None, signal.SIGTERM)],
)
def test_how_the_agent_ended_is_what_the_kernel_says(how: str, code: int | None, number: int | None) -> None:
    record = recorded(how)
    assert (record["code"], record["signal"], record["rung"]) == (code, number, None)
    assert record["took_ms"] is None, "nobody stopped it"


@pytest.mark.usefixtures("nothing_left")
def test_the_first_rung_that_was_in_force_counts_and_the_time_from_the_first_beginning() -> None:
    record = recorded("0", rung="interrupt", more=2)
    assert (record["rung"], record["took_ms"]) == ("interrupt", 2_500.0)
    assert record["survivors"] == []


@pytest.mark.usefixtures("nothing_left")
def test_an_agent_that_had_to_be_killed_died_of_that() -> None:
    record = recorded("stay", more=3)
    assert (record["code"], record["signal"], record["rung"]) == (None, signal.SIGKILL, "kill")
    assert (record["survivors"], record["proof"]) == ([], "echild")


@pytest.mark.usefixtures("nothing_left")
def test_what_it_used_is_counted_and_the_rest_is_passed_on() -> None:
    record = recorded("burn")
    assert record["cpu_s"] > 0.0
    assert record["max_rss_bytes"] > 1_000_000
    assert (record["last_n"], record["stopped"], record["stderr_tail"]) == (7, True, "tail")
    assert (record["ended_at"], record["claim"], record["limit"]) == (1_000.0, True, None)


@pytest.mark.usefixtures("nothing_left")
def test_the_orphans_that_came_to_the_warden_are_not_taken_for_the_agent() -> None:
    def keep() -> list[Any]:
        linux.become_subreaper()
        agent = os.fork()
        if agent == 0:
            if os.fork() == 0:
                os._exit(9)
            os._exit(3)
        ending = Ending("echild", SubreaperRounds(), agent)
        ending.kill_all(None)
        record: ExitRecord = ending.record(0, False, "", 0.0, 0.0)
        return [record.code in (3, None), record.signal in (signal.SIGKILL, None), ending.over]

    assert in_a_fork(keep) == [True, True, True]


# ── the end of stderr ───────────────────────────────────────────────────────────────────────────


@given(st.lists(st.binary(max_size=40)), st.integers(0, 50))
def test_the_tail_is_the_end_of_all_that_was_written(parts: list[bytes], limit: int) -> None:
    tail = Tail(limit)
    for part in parts:
        tail.add(part)
    whole = b"".join(parts)
    shown = whole[max(0, len(whole) - limit) :].decode(errors="backslashreplace")
    assert shown.endswith(tail.text())
    assert len(tail.text().encode()) <= limit
    assert len(tail.text().encode()) > min(len(shown.encode()), limit) - 4  # but for a letter that was cut


def test_a_tail_of_what_is_no_text_can_be_told_all_the_same() -> None:
    tail = Tail(15)
    tail.add(b"\xffabc\xe2\x82")
    assert tail.text() == "\\xffabc\\xe2\\x82"
    msgspec.json.encode(tail.text())


def test_a_tail_that_is_cut_in_a_letter_shows_the_rest_of_it() -> None:
    tail = Tail(4)
    tail.add("aé€".encode())
    assert tail.text() == "9€"
