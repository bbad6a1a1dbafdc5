"""Keeping a real journal within its bounds, slice by slice, and what readers of it are told."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runward.actors import logs, retaining
from runward.actors.actor import Timer
from runward.actors.forgetting import Forgetting
from runward.actors.journal import erasing, keyed
from runward.actors.journal.patient import PatientWriter
from runward.actors.journal.reader import Reader
from runward.actors.records import RunRecord, Status
from runward.actors.replays import KEPT_S
from runward.actors.retaining import Retaining
from runward.http.paging import Gap, page

from .journal.making import GIVEN, a_record, everything, lines, numbers
from .test_retention import bounds


class House:
    """A supervisor's journal and time, and nothing else of it."""

    def __init__(self, folder: Path) -> None:
        self.journal = PatientWriter(folder)
        self.reader = Reader(folder)
        self.time_s = 0.0
        self.folder = folder
        self.live: dict[str, int] = {}
        self.folders_thrown_away: list[str] = []
        self._timers: list[Timer] = []
        self._then: list[Callable[[], object]] = []

    def now(self) -> float:
        return 1_000_000 + self.time_s

    def after(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        self._timers.append(Timer(self.time_s + delay_s, callback))
        return self._timers[-1]

    def then(self, action: Callable[[], object]) -> None:
        self._then.append(action)

    def keep(self, **set_: float) -> None:
        """Retain with these bounds from now on."""
        register: Any = SimpleNamespace(all=lambda: [SimpleNamespace(key=key) for key in self.live.values()])
        forgetting = Forgetting(self, str(self.folder), self.folders_thrown_away.append)
        Retaining(self, bounds(**set_), register, forgetting)

    def pass_time(self, seconds: float) -> int:
        """Turn by turn; how many turns there were in which something was written."""
        end, wrote = self.time_s + seconds, 0
        while due := [timer for timer in self._timers if timer.due <= end]:
            timer = min(due, key=lambda each: each.due)
            self._timers.remove(timer)
            self.time_s = max(self.time_s, timer.due)
            assert timer.callback is not None
            timer.callback()
            wrote += self.journal.commit()
            actions, self._then = self._then, []
            for action in actions:
                action()
        self.time_s = end
        return wrote

    def run(self, run_id: str, events: int = 1, each: int = 1, filling: int = 0, ended: bool = True) -> int:
        """A run with so many events, some in each batch, that ended just now or lives."""
        record: RunRecord = a_record(run_id, status=Status.RUNNING)
        key = self.journal.add_run(record, GIVEN)
        for first in range(1, events + 1, each):
            last = min(first + each - 1, events)
            self.journal.append(key, first, last, lines(first, last, "x" * filling))
        if ended:
            record.status, record.updated_at = Status.COMPLETED, self.now()
            self.journal.save_run(key, record)
        else:
            self.live[run_id] = key
        self.journal.commit()
        return key

    def runs(self) -> list[str]:
        return [record.run_id for record in self.reader.runs(limit=200).records][::-1]

    def close(self) -> None:
        self.reader.close()
        self.journal.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "state")
    logs.prepare(str(tmp_path / "state"))
    yield made
    made.close()


def test_ended_runs_go_when_there_are_too_many_the_oldest_first_and_live_ones_stay(house: House) -> None:
    house.run("run_live", ended=False)
    for number in range(40):
        house.run(f"run_{number}")
        house.time_s += 1
    house.keep(max_runs=4)
    house.pass_time(5)
    assert house.runs() == ["run_live", "run_37", "run_38", "run_39"]
    assert [record.last for record in everything(house.reader, house.live["run_live"])] == [1]


def test_ended_runs_go_when_they_are_too_old_and_no_sooner(house: House) -> None:
    house.run("run_1")
    house.time_s += 50
    house.run("run_2")
    house.keep(max_age_s=100)
    house.pass_time(45)
    assert house.runs() == ["run_1", "run_2"]
    house.pass_time(10)
    assert house.runs() == ["run_2"]


def test_the_file_is_bounded_by_bytes_though_much_more_is_written(house: House) -> None:
    house.keep(max_bytes=4 << 20)
    sizes = []
    for number in range(60):
        house.run(f"run_{number}", events=32, each=4, filling=16_384)  # half a MiB each
        house.pass_time(1.5)
        sizes.append(house.journal.holdings.used_bytes())
    assert max(sizes[10:]) < 5 << 20
    assert min(sizes[10:]) > 3 << 20, "no more goes than has to"
    house.journal.close()
    assert (house.folder / "journal.db").stat().st_size < 6 << 20


def test_what_ended_just_now_is_kept_whatever_the_bounds(house: House) -> None:
    house.keep(max_runs=1, max_bytes=1, min_age_s=60)
    for number in range(3):
        house.run(f"run_{number}")
    house.pass_time(50)
    assert len(house.runs()) == 3
    house.pass_time(20)
    assert house.runs() == []


def test_log_and_kept_folder_go_with_their_run(house: House) -> None:
    house.run("run_1")
    for descriptor in logs.open_all(str(house.folder), "run_1"):
        logs.close(descriptor)
    house.keep(max_age_s=1)
    house.pass_time(5)
    assert list((house.folder / "logs").iterdir()) == []
    assert set(house.folders_thrown_away) == {"run_1"}


def test_files_of_a_run_that_a_dead_supervisor_had_forgotten_go(house: House) -> None:
    house.journal.delete_run(house.run("run_1"))
    house.journal.commit()  # and here it died
    for descriptor in logs.open_all(str(house.folder), "run_1"):
        logs.close(descriptor)
    house.keep()
    house.pass_time(1)
    assert list((house.folder / "logs").iterdir()) == []
    assert house.journal.sweep() is None


def test_an_idempotency_key_outlives_its_run(house: House) -> None:
    house.journal.note_key("alice", "k", house.run("run_1"), b"hash", house.now())
    house.keep(max_age_s=1)
    house.pass_time(5)
    assert house.runs() == []
    assert house.journal.noted_key("alice", "k", 0.0) == ("run_1", b"hash")


def test_keys_that_have_expired_go_though_no_other_comes(house: House) -> None:
    key = house.run("run_1")
    for number in range(3 * keyed.DROPPED_AT_ONCE):
        house.journal.note_key("alice", f"old {number}", key, b"", house.now())
    house.time_s += KEPT_S
    house.journal.note_key("alice", "new", key, b"", house.now())
    house.keep()
    house.pass_time(2)
    assert not house.journal.holdings.has_keys_before(house.now() - KEPT_S)
    assert house.journal.noted_key("alice", "new", 0.0) is not None


@pytest.mark.parametrize("ended", [True, False], ids=["ended", "live"])
def test_of_a_long_run_the_oldest_events_go_and_who_asks_for_them_is_told(house: House, ended: bool) -> None:
    key = house.run("run_1", events=1000, each=5, ended=ended)
    house.keep(run_max_events=100)
    house.pass_time(5)
    kept = numbers(everything(house.reader, key))
    assert kept == list(range(901, 1001))
    gap = page(house.reader, "run_1", key, 7, 1 << 20)
    assert isinstance(gap, Gap)
    assert (gap.first, gap.last) == (8, 900)
    assert b'"event":"stream.gap","from":8,"to":900' in gap.frames()
    news = page(house.reader, "run_1", key, gap.last, 1 << 20)
    assert news is not None
    assert (news.first, news.last) == (901, 1000)


def test_a_live_run_is_trimmed_by_bytes_while_it_goes_on(house: House) -> None:
    key = house.run("run_1", ended=False)
    house.keep(run_max_bytes=100_000)
    for n in range(2, 200):
        house.journal.append(key, n, n, lines(n, n, "x" * 10_000))
        house.pass_time(0.3)
        kept = sum(len(batch.data) for batch in everything(house.reader, key))
        assert kept < 160_000, "what a second brings, and a batch"
    assert kept > 99_000
    assert house.journal.last_seq(key) == 199


def test_events_that_are_too_old_go(house: House) -> None:
    key = house.run("run_1", events=100, each=1)  # event n is stamped n
    house.time_s = 50 - 1_000_000
    house.keep(run_max_age_s=20)
    house.pass_time(5)
    assert numbers(everything(house.reader, key))[0] in range(30, 36)


def test_runs_nobody_looks_at_are_walked_by_and_by(house: House) -> None:
    keys = [house.run(f"run_{number}", events=50) for number in range(3 * retaining.WALKED_AT_ONCE)]
    house.keep(run_max_events=10)
    house.pass_time(1.9)
    left = [len(everything(house.reader, key)) for key in keys]
    assert set(left) == {10, 50}
    house.pass_time(3)
    assert {len(everything(house.reader, key)) for key in keys} == {10}


def test_no_slice_removes_more_than_its_share(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    removed: list[int] = []
    write = house.journal._write

    def counting(sql: str, values: tuple[Any, ...], size: int) -> Any:
        changes = write(sql, values, size)
        if sql == erasing.DELETE_EVENTS:
            removed.append(changes.rowcount)
        return changes

    monkeypatch.setattr(house.journal, "_write", counting)
    house.run("run_1", events=1000)
    house.run("run_2", events=1000, ended=False)
    house.keep(max_age_s=1, run_max_events=10)
    turns = house.pass_time(30)
    assert sum(removed) == 1990
    assert max(removed) <= erasing.BATCHES
    assert turns >= len(removed) - 1  # the first slice of a run goes with its row


def test_nothing_over_is_nothing_written(house: House) -> None:
    house.run("run_1", events=100)
    house.keep(max_age_s=1000, max_runs=10, max_bytes=1 << 30, run_max_events=100, run_max_bytes=1 << 20)
    assert house.pass_time(20) == 0


def test_while_there_is_no_room_nothing_is_removed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.run("run_1")
    house.keep(max_age_s=1)
    with monkeypatch.context() as full:
        full.setattr(house.journal, "held_up", True)
        full.setattr(house.journal, "commit", lambda: False)
        house.pass_time(5)
    assert house.runs() == ["run_1"]
    house.pass_time(5)
    assert house.runs() == []
