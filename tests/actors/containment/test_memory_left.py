"""What is left of memory is the least of what the machine and each cgroup above us have."""

from pathlib import Path

import pytest

from runward.actors.containment.hierarchies import Hierarchy
from runward.actors.containment.memory_left import MemoryLeft

MIB = 1 << 20


def _group(folder: Path, **files: object) -> Path:
    folder.mkdir()
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(f"{text}\n")
    return folder


def _second(folder: Path, bound: object, current: int, inactive: int = 0) -> Path:
    stat = f"anon 5\ninactive_anon 7\ninactive_file {inactive}"
    return _group(folder, memory__max=bound, memory__current=current, memory__stat=stat)


@pytest.mark.parametrize(
    ("machine", "outer", "inner", "left"),
    [
        (900, ("max", 100, 0), ("max", 50, 0), 900),
        (900, (500, 100, 0), ("max", 50, 0), 400),
        (900, (500, 100, 30), (200, 50, 10), 160),
        (100, (500, 100, 0), (200, 50, 0), 100),
        (900, (500, 600, 0), ("max", 50, 0), 0),
        (None, (500, 100, 0), ("max", 50, 0), 400),
        (None, ("max", 100, 0), ("max", 50, 0), None),
    ],
)
def test_the_least_counts(
    tmp_path: Path,
    machine: int | None,
    outer: tuple[object, int, int],
    inner: tuple[object, int, int],
    left: int | None,
) -> None:
    above = _second(tmp_path / "outer", *outer)
    own = _second(above / "inner", *inner)
    assert MemoryLeft([Hierarchy(2, str(own))], lambda: machine)() == left


def test_a_hierarchy_of_version_1_says_it_in_its_own_words(tmp_path: Path) -> None:
    own = _group(
        tmp_path / "a",
        memory__limit_in_bytes=300 * MIB,
        memory__usage_in_bytes=100 * MIB,
        memory__stat=f"inactive_file 1\ntotal_inactive_file {20 * MIB}",
    )
    unbound = _group(tmp_path / "b", memory__limit_in_bytes=9223372036854771712, memory__usage_in_bytes=5)
    both = [Hierarchy(1, str(own), ("memory",)), Hierarchy(1, str(unbound), ("memory",))]
    assert MemoryLeft(both, lambda: 900 * MIB)() == 220 * MIB


def test_a_bound_that_changes_is_seen_and_one_that_is_gone_is_none(tmp_path: Path) -> None:
    own = _second(tmp_path / "a", 500, 100)
    left = MemoryLeft([Hierarchy(2, str(own))], lambda: 900)
    (own / "memory.max").write_text("300\n")
    assert left() == 200
    (own / "memory.max").write_text("max\n")
    assert left() == 900
    (own / "memory.max").unlink()
    assert left() == 900
