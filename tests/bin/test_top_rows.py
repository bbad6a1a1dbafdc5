"""What `top` shows, and in which order."""

import msgspec
import pytest

from runward.actors.records import Status
from runward.bin.rates import Rates
from runward.bin.top_rows import ORDERS, Row, ordered, summary
from runward.http.api_types import ProcessInfo, RunInfo

OLD = Row(
    RunInfo(
        run_id="run_old",
        agent="a",
        status=Status.RUNNING,
        created_at=10.0,
        process=ProcessInfo(pid=1, processes=5, rss_bytes=2**20, cpu_s=0.0),
    ),
    Rates(0.5, 1.0),
)
NEW = Row(
    msgspec.structs.replace(
        OLD.run, run_id="run_new", created_at=20.0, process=ProcessInfo(pid=2, processes=2, rss_bytes=2**21)
    ),
    Rates(0.1, 7.0),
)
WAITS = Row(
    msgspec.structs.replace(OLD.run, run_id="run_waits", status=Status.QUEUED, created_at=30.0, process=None),
    Rates(None, None),
)
ROWS = [NEW, WAITS, OLD]


@pytest.mark.parametrize(
    ("order", "first"),
    [
        ("c", "old new waits"),
        ("m", "new old waits"),
        ("p", "old new waits"),
        ("e", "new old waits"),
        ("a", "old new waits"),
    ],
)
def test_the_largest_comes_first(order: str, first: str) -> None:
    assert [row.run.run_id.removeprefix("run_") for row in ordered(ROWS, order)] == first.split()


def test_of_equals_the_newest_comes_first() -> None:
    same = [Row(row.run, Rates(0.0, 0.0)) for row in ROWS]
    assert [row.run.run_id for row in ordered(same, "c")] == ["run_waits", "run_new", "run_old"]


def test_every_order_has_a_key_of_its_own_and_a_column() -> None:
    assert all(len(key) == 1 for key in ORDERS)
    assert len({name for name, _ in ORDERS.values()}) == len(ORDERS)


def test_all_together_on_one_line() -> None:
    assert summary(ROWS) == "3 runs (1 queued, 2 running)  CPU 60%  memory 3.0M  7 processes"
    assert summary([]) == "0 runs  CPU 0%  memory 0B  0 processes"
