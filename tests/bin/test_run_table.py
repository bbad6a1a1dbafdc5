"""Rates and the table of runs."""

import msgspec
import pytest

from runward.actors.records import Exit, Status
from runward.bin import describing
from runward.bin.rates import Look, Rates, rates
from runward.bin.run_table import row, table
from runward.http.api_types import ProcessInfo, RunInfo

NOW = 1100.0
RUN = RunInfo(
    run_id="run_0123456789abcdef",
    agent="spin",
    status=Status.RUNNING,
    created_at=1000.0,
    started_at=1000.0,
    last_event="message.delta",
    last_seq=50,
    process=ProcessInfo(pid=7, processes=2, rss_bytes=43 * 1024**2, cpu_s=20.0),
)


def later(cpu_s: float, last_seq: int, attempt: int = 1) -> RunInfo:
    used = ProcessInfo(pid=7, processes=2, cpu_s=cpu_s)
    return msgspec.structs.replace(RUN, process=used, last_seq=last_seq, attempt=attempt)


def test_the_first_look_tells_averages_over_the_life() -> None:
    assert rates(RUN, None, 5.0, NOW) == Rates(0.2, 0.5)


def test_a_second_look_tells_what_was_used_between_the_two() -> None:
    before = Look([RUN], 5.0)
    assert rates(later(23.0, 90), before, 7.0, NOW) == Rates(1.5, 20.0)


@pytest.mark.parametrize("run", [later(0.1, 51, attempt=2), msgspec.structs.replace(RUN, run_id="run_other")])
def test_another_attempt_and_another_run_are_not_compared(run: RunInfo) -> None:
    assert rates(run, Look([RUN], 5.0), 7.0, NOW).events == run.last_seq / 100


def test_who_waits_has_no_rates() -> None:
    waits = msgspec.structs.replace(RUN, status=Status.QUEUED, started_at=None, process=None)
    assert rates(waits, None, 5.0, NOW) == Rates(None, None)


def test_an_ended_run_has_those_of_its_life() -> None:
    ended = msgspec.structs.replace(
        RUN, status=Status.CANCELLED, reason="killed", ended_at=1050.0, process=None,
        exit=Exit(rung="kill", cpu_s=25.0),
    )  # fmt: skip
    assert rates(ended, None, 5.0, NOW) == Rates(0.5, 1.0)
    cells = row(ended, Rates(0.5, 1.0), NOW)
    assert cells[1:] == ("spin", "cancelled (killed)", "50s", "50%", "-", "-", "1.0", "message.delta", "kill")


def test_a_row_says_what_a_live_run_uses_and_where_its_stop_stands() -> None:
    stopping = msgspec.structs.replace(RUN, status=Status.STOPPING, rung="terminate")
    cells = row(stopping, Rates(1.234, 0.0), NOW)
    assert cells[1:] == ("spin", "stopping", "1m", "123%", "43M", "2", "0", "message.delta", "terminate")


def test_a_terminal_without_room_gets_short_ids_and_then_short_lines() -> None:
    rows = [row(RUN, Rates(1.0, 2.0), NOW)]
    whole = table(rows, None)
    width = max(map(len, whole))
    assert table(rows, width) == whole
    assert table(rows, width - 1)[1].startswith("run_01234567  spin")
    assert [len(line) for line in table(rows, 40)] == [40, 40]
    assert table(rows, 40)[1].endswith("…")


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0B"),
        (999, "999B"),
        (1000, "1.0K"),
        (43 * 1024**2, "43M"),
        (1.25 * 1024**3, "1.2G"),
        (2**50, "1048576G"),
    ],
)
def test_sizes(count: float, said: str) -> None:
    assert describing.size(count) == said


@pytest.mark.parametrize(
    ("per_s", "said"), [(0, "0"), (0.25, "0.2"), (12.3, "12"), (9_949, "9949"), (43_000, "43k")]
)
def test_rates_in_words(per_s: float, said: str) -> None:
    assert describing.rate(per_s) == said
