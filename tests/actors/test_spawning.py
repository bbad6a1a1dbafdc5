"""Fresh processes for roles: what they are given, and above all what they are not."""

import errno
import json
import os
import resource
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runward.actors.spawning import spawn_light, spawn_role

from .containment.nobody import become_nobody, needs_root
from .forks import in_a_fork, own_children
from .spawned import Start

pytestmark = pytest.mark.usefixtures("nothing_left")

ROLE, LIGHT = "tests.actors.spawned:look", "tests.actors.spawned:look_light"
PIPE_BYTES = 65_536
Spawn = Callable[[str, Any, tuple[int, ...]], int]
both_ways = pytest.mark.parametrize(
    ("spawn", "main"), [(spawn_role, ROLE), (spawn_light, LIGHT)], ids=["spawn_role", "spawn_light"]
)


def said_by(spawn: Spawn, main: str, load: str = "") -> dict[str, Any]:
    """What the process said, once it has ended well."""
    reads, writes = os.pipe()
    try:
        pid = spawn(main, Start(writes, load), (writes,))
    finally:
        os.close(writes)
    with open(reads, "rb") as report:
        said = json.loads(report.read())
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert said["pid"] == pid if "pid" in said else True
    return {**said, "report_fd": str(writes)}


@pytest.fixture
def secret() -> Iterator[tuple[int, str]]:
    """A descriptor that this process holds and hands to nobody, and what it leads to."""
    reads, writes = os.pipe()
    yield reads, os.readlink(f"/proc/self/fd/{reads}")
    os.close(reads)
    os.close(writes)


@both_ways
def test_it_runs_in_a_process_of_its_own_that_the_caller_reaps(spawn: Spawn, main: str) -> None:
    said = said_by(spawn, main)
    assert said["pid"] != os.getpid()
    assert said["parent"] == os.getpid()
    assert said["threads"] == 1


@both_ways
@pytest.mark.parametrize("size", [0, PIPE_BYTES - 1, 10 * PIPE_BYTES, 100 * PIPE_BYTES], ids=repr)
def test_birth_data_of_any_size_arrives(spawn: Spawn, main: str, size: int) -> None:
    assert said_by(spawn, main, "x" * size)["load"] == size


@both_ways
def test_a_descriptor_that_is_named_has_the_same_number_there_and_no_other_of_ours_is_open(
    spawn: Spawn, main: str, secret: tuple[int, str]
) -> None:
    said = said_by(spawn, main)
    assert said["descriptors"][said["report_fd"]].startswith("pipe:")
    assert secret[1] not in said["descriptors"].values()


@pytest.mark.parametrize(
    ("spawn", "main"),
    [
        (spawn_role, ROLE),
        (spawn_light, LIGHT),
    ],
    ids=["spawn_role", "spawn_light"],
)
def test_not_even_a_descriptor_that_may_be_inherited_is_unless_it_is_named(
    spawn: Spawn, main: str, secret: tuple[int, str]
) -> None:
    os.set_inheritable(secret[0], True)
    assert secret[1] not in said_by(spawn, main)["descriptors"].values()


@both_ways
def test_the_callers_own_copies_of_what_is_inherited_stay_open(spawn: Spawn, main: str) -> None:
    reads, writes = os.pipe()
    pid = spawn(main, Start(writes), (writes,))
    os.write(writes, b"mine")
    os.close(writes)
    with open(reads, "rb") as report:
        assert b"mine" in report.read()
    os.waitpid(pid, 0)


@both_ways
def test_the_script_that_was_started_is_not_imported_again(spawn: Spawn, main: str) -> None:
    said = said_by(spawn, main)
    assert not said["main_imported"]
    assert not {"pytest", "_pytest", "hypothesis", "runward.actors.supervisor"} & set(said["modules"])


def test_a_light_process_has_neither_multiprocess_nor_dill(capfd: pytest.CaptureFixture[str]) -> None:
    modules = said_by(spawn_light, LIGHT)["modules"]
    assert [
        name for name in modules if name.partition(".")[0] in ("multiprocess", "dill", "multiprocessing")
    ] == []
    assert "runward.actors.spawning" not in modules


@both_ways
def test_no_tracker_is_started_beside_it(spawn: Spawn, main: str) -> None:
    before = own_children()
    said_by(spawn, main)
    assert own_children() == before


def test_multiprocess_key_of_the_parent_stays_with_the_parent() -> None:
    import multiprocess

    said = said_by(spawn_role, "tests.actors.spawned:authkey")
    assert said["authkey"] != bytes(multiprocess.current_process().authkey).hex()


@both_ways
def test_it_can_import_what_its_parent_can(spawn: Spawn, main: str) -> None:
    assert {path for path in sys.path if path} <= {*said_by(spawn, main)["path"], *sys.path[:1]}


# ── when it does not come to life ───────────────────────────────────────────────────────────────


def test_an_exit_code_is_the_roles_own() -> None:
    pid = spawn_role("tests.actors.spawned:leave", Start(7), ())
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 7


@both_ways
def test_a_role_that_is_not_there_is_an_exit_with_an_error(
    spawn: Spawn, main: str, capfd: pytest.CaptureFixture[str]
) -> None:
    pid = spawn("tests.actors.spawned:nobody", Start(0), ())
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 1
    assert "nobody" in capfd.readouterr().err


@pytest.fixture
def tidied() -> Iterator[Callable[[], list[str]]]:
    """Tells which descriptors and dead children a call left here, and takes them away after the test."""
    before = {entry.name for entry in Path("/proc/self/fd").iterdir()}
    children_before = own_children()

    def left() -> list[str]:
        opened = [entry for entry in sorted(Path("/proc/self/fd").iterdir()) if entry.name not in before]
        children = [pid for pid in own_children() if pid not in children_before]
        return [
            *(str(entry) for entry in opened if entry.is_symlink()),
            *(f"child {pid}" for pid in children),
        ]

    yield left
    for each in left():
        if each.startswith("child "):
            os.waitpid(int(each.removeprefix("child ")), 0)
        else:
            os.close(int(Path(each).name))


def started_instead(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """Make this what is started where Python should be."""
    monkeypatch.setattr("multiprocess.spawn.get_executable", path.encode)
    monkeypatch.setattr(sys, "executable", path)


@pytest.mark.parametrize("interpreter", ["/bin/false", "/nonexistent/python"])
@both_ways
def test_a_process_that_dies_before_it_reads_its_birth_data_is_an_error_and_leaves_nothing(
    spawn: Spawn,
    main: str,
    interpreter: str,
    monkeypatch: pytest.MonkeyPatch,
    tidied: Callable[[], list[str]],
) -> None:
    started_instead(monkeypatch, interpreter)
    with pytest.raises(BrokenPipeError):
        spawn(main, Start(0, "x" * 20 * PIPE_BYTES), ())
    assert tidied() == []


@needs_root
@pytest.mark.parametrize(
    ("spawn", "main"),
    [
        (spawn_role, ROLE),
        (spawn_light, LIGHT),
    ],
    ids=["spawn_role", "spawn_light"],
)
def test_where_there_is_no_room_for_a_process_the_error_says_so_and_nothing_is_left(
    spawn: Spawn, main: str
) -> None:
    def attempt() -> list[Any]:
        become_nobody()
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        before = open_descriptors()
        try:
            spawn(main, Start(0), ())
        except OSError as error:
            return [error.errno, open_descriptors() == before]
        return ["it was started"]

    assert in_a_fork(attempt) == [errno.EAGAIN, True]


def open_descriptors() -> list[int]:
    """Found by asking for each: a process that changed its uid may not look into /proc for its own."""
    return [number for number in range(256) if _is_open(number)]


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
