"""What the journal costs on this machine: figures to read (`pytest --slow -s`), held to nothing narrow."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from runward.actors.journal.reader import Reader
from runward.actors.journal.writer import Writer

from .making import GIVEN, a_record, line

pytestmark = pytest.mark.slow

EVENT = line(1, "x" * 32)


def measure(what: str, act: Callable[[int], object], times: int) -> float:
    """Call `act` with 0, 1, … and print what a call took; the median in µs."""
    took_s = []
    for n in range(times):
        begin = time.perf_counter()
        act(n)
        took_s.append(time.perf_counter() - begin)
    return report(what, took_s)


def report(what: str, took_s: list[float]) -> float:
    took_us = sorted(seconds * 1e6 for seconds in took_s)
    p50, p99, most = took_us[len(took_us) // 2], took_us[len(took_us) * 99 // 100], took_us[-1]
    print(f"{what:45} p50 {p50:8.1f} µs   p99 {p99:8.1f} µs   max {most / 1e3:6.2f} ms")  # noqa: T201
    return p50


def test_what_commits_cost(writer: Writer) -> None:
    keys = [writer.add_run(a_record(f"run_{n}"), GIVEN) for n in range(51)]
    record = a_record("run_0")
    writer.commit()

    def one_event(n: int) -> None:
        writer.append(keys[50], n + 1, n + 1, EVENT)
        writer.commit()

    def many_runs(n: int) -> None:
        for key in keys[:50]:
            writer.append(key, n * 20 + 1, n * 20 + 20, EVENT * 20)
        writer.commit()

    def save(n: int) -> None:
        writer.save_run(keys[0], record)
        writer.commit()

    def new_run(n: int) -> None:
        writer.add_run(a_record(f"run_new_{n}"), GIVEN)
        writer.commit()

    measure("a commit of nothing", lambda n: writer.commit(), 5000)
    assert measure("a commit of 1 run x 1 event", one_event, 5000) < 5_000
    assert measure("a commit of 50 runs x 20 events", many_runs, 300) < 50_000
    measure("a commit of a saved record", save, 3000)
    measure("a commit of a new run", new_run, 3000)


def test_what_a_flush_per_commit_costs(folder: Path) -> None:
    writer = Writer(folder, "full")

    def one_event(n: int) -> None:
        writer.append(1, n + 1, n + 1, EVENT)
        writer.commit()

    measure("a commit of 1 run x 1 event, full", one_event, 500)
    writer.close()


def test_what_reading_costs(writer: Writer, reader: Reader) -> None:
    keys = [writer.add_run(a_record(f"run_{n}"), GIVEN) for n in range(200)]
    for n in range(20_000):
        writer.append(keys[n % 2], n + 1, n + 1, EVENT)
    writer.commit()
    last = 20_000
    measure("a run by its id", lambda n: reader.run(f"run_{n % 200}"), 2000)
    measure("a page of 50 runs", lambda n: reader.runs(), 300)
    measure("the last event", lambda n: reader.last(keys[1]), 2000)
    measure("batches at the end", lambda n: reader.batches(keys[1], last - 2, 1 << 18), 2000)
    measure("256 KB of 1-event batches", lambda n: reader.batches(keys[0], 0, 1 << 18), 100)


def test_what_commits_cost_beside_checkpoints(writer: Writer) -> None:
    """Batches of 300 events at some 200,000 events a second, which begins the WAL anew every second or so."""
    blob = EVENT * 300

    def one_batch(n: int) -> float:
        begin = time.perf_counter()
        writer.append(1, n, n, blob)
        writer.commit()
        return time.perf_counter() - begin

    took_s = []
    for n in range(8000):
        took_s.append(one_batch(n))
        time.sleep(0.001)  # the rate, not a wait
    report("a commit of 300 events, 1 ms apart", took_s)
