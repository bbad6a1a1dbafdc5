"""Folders on disk for runs that can't have theirs in memory: made, thrown away or kept, and removed by a janitor."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from runward.actors.actor import Actor
from runward.actors.containment.walls import MOUNTS
from runward.actors.messages.with_zygote import Place
from runward.actors.work_folders import MEMORY_BYTES, WorkFolders
from runward.config.sections import AgentSpec
from tests.support.waiting import AT_LAST_S

pytestmark = pytest.mark.usefixtures("nothing_left")

PLAIN, KEEPING = AgentSpec(), AgentSpec(work_folder="keep")
NO_WALLS = ()


class Folders(WorkFolders):
    """With the loop that it is called back by."""

    def __init__(self, state: Path, *walls: str) -> None:
        self.loop = Actor()
        self.state = state
        super().__init__(self.loop, str(state), walls)

    def clean(self) -> None:
        """Let the janitor do its work."""
        deadline = self.loop.clock() + AT_LAST_S
        while self.left("trash") or self._janitor is not None:
            assert self.loop.clock() < deadline, self.left("trash")
            self.turn()

    def turn(self) -> None:
        """A short one."""
        self.loop.after(0.02, lambda: None)
        self.loop.turn()

    def left(self, where: str) -> list[str]:
        return sorted(os.listdir(self.state / where))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path


def folders(state: Path, *walls: str) -> Folders:
    return Folders(state, *walls)


@pytest.fixture
def on_disk(state: Path) -> Iterator[Folders]:
    """Where there are no mount namespaces."""
    made = folders(state)
    yield made
    made.close()
    made.loop.close()


@pytest.fixture
def in_memory(state: Path) -> Iterator[Folders]:
    """Where there are."""
    made = folders(state, MOUNTS)
    yield made
    made.close()
    made.loop.close()


# ── where a run may write ───────────────────────────────────────────────────────────────────────


def test_a_run_writes_to_memory_where_it_can(in_memory: Folders) -> None:
    assert in_memory.place("run_1", PLAIN, 1000) == Place(1000)
    in_memory.ended("run_1")
    assert in_memory.left("work") == in_memory.left("trash") == []


def test_without_a_limit_its_work_folder_is_on_disk_and_the_rest_in_memory(
    in_memory: Folders, state: Path
) -> None:
    assert in_memory.place("run_1", PLAIN, 0) == Place(MEMORY_BYTES, f"{state}/work/run_1/work")


def test_one_that_is_kept_is_on_disk_and_the_rest_in_memory(in_memory: Folders, state: Path) -> None:
    assert in_memory.place("run_1", KEEPING, 1000) == Place(1000, f"{state}/kept/run_1")
    assert in_memory.left("work") == []


def test_without_mounts_it_has_two_folders_on_disk(on_disk: Folders, state: Path) -> None:
    folder = f"{state}/work/run_1"
    assert on_disk.place("run_1", PLAIN, 1000) == Place(1000, f"{folder}/work", f"{folder}/tmp")
    assert on_disk.place("run_2", KEEPING, 1000) == Place(
        1000, f"{state}/kept/run_2", f"{state}/work/run_2/tmp"
    )
    for path in ("work", "kept", "trash", "work/run_1", "work/run_1/work", "work/run_1/tmp", "kept/run_2"):
        assert stat.S_IMODE(os.stat(state / path).st_mode) == 0o700


def test_a_second_attempt_finds_what_is_kept_and_nothing_else(on_disk: Folders, state: Path) -> None:
    for attempt in (1, 2):
        place = on_disk.place("run_1", KEEPING, 0)
        assert os.listdir(place.temporary) == []
        assert os.listdir(place.work) == ([] if attempt == 1 else ["file"])
        for path in (place.work, place.temporary):
            (Path(path) / "file").touch()


# ── its end ─────────────────────────────────────────────────────────────────────────────────────


def test_at_its_end_all_is_removed_but_what_is_kept(on_disk: Folders) -> None:
    for run_id, spec in (("run_1", PLAIN), ("run_2", KEEPING)):
        place = on_disk.place(run_id, spec, 0)
        (Path(place.work) / "file").touch()
        on_disk.ended(run_id)
    assert on_disk.left("work") == []
    assert len(on_disk.left("trash")) == 2
    on_disk.clean()
    assert on_disk.left("kept") == ["run_2"]
    on_disk.forget("run_2")
    assert on_disk.left("kept") == []
    on_disk.clean()


def test_what_ends_while_it_is_cleaned_is_removed_too(on_disk: Folders) -> None:
    for number in range(3):
        on_disk.place(f"run_{number}", PLAIN, 0)
        on_disk.ended(f"run_{number}")
        on_disk.turn()
    on_disk.clean()
    assert on_disk.left("work") == []


def test_to_end_and_to_forget_what_has_no_folder_is_harmless(on_disk: Folders) -> None:
    on_disk.ended("run_1")
    on_disk.forget("run_1")
    assert on_disk.left("trash") == []


def test_a_later_supervisor_removes_what_no_live_run_has(on_disk: Folders, state: Path) -> None:
    for number in range(3):
        on_disk.place(f"run_{number}", KEEPING, 0)
    (state / "trash" / "older").mkdir()
    on_disk.take_over(["run_1"])
    assert on_disk.left("work") == ["run_1"]
    assert on_disk.left("kept") == ["run_0", "run_1", "run_2"]
    on_disk.clean()


def test_it_can_be_closed_while_the_janitor_works(on_disk: Folders, state: Path) -> None:
    for number in range(2000):
        (state / "trash" / str(number)).mkdir()
    on_disk.take_over([])
    on_disk.close()
    assert len(on_disk.left("trash")) > 0
