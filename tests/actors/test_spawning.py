"""Fresh processes for roles: what they are given, and above all what they are not."""

import errno
import json
import os
import resource
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from runward.actors.birth import born_with
from runward.actors.spawning import spawn

from .containment.nobody import become_nobody, needs_root
from .forks import in_a_fork, own_children
from .spawned import Start

pytestmark = pytest.mark.usefixtures("nothing_left")

LOOK = "tests.actors.spawned:look"
PIPE_BYTES = 65_536


def said(load: str = "") -> dict[str, Any]:
    """What a process said that looked around, once it has ended well."""
    reads, writes = os.pipe()
    try:
        pid = spawn(LOOK, Start(writes, load), (writes,))
    finally:
        os.close(writes)
    with open(reads, "rb") as report:
        facts = json.loads(report.read())
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert facts["pid"] == pid
    return {**facts, "report_fd": str(writes)}


@pytest.fixture
def secret() -> Iterator[tuple[int, str]]:
    """A descriptor that this process holds and hands to nobody, and what it leads to."""
    reads, writes = os.pipe()
    yield reads, os.readlink(f"/proc/self/fd/{reads}")
    os.close(reads)
    os.close(writes)


def test_it_runs_in_a_process_of_its_own_that_the_caller_reaps() -> None:
    facts = said()
    assert facts["pid"] != os.getpid()
    assert facts["parent"] == os.getpid()
    assert facts["threads"] == 1


@pytest.mark.parametrize("size", [0, PIPE_BYTES - 1, 10 * PIPE_BYTES, 100 * PIPE_BYTES], ids=repr)
def test_birth_data_of_any_size_arrives(size: int) -> None:
    assert said("x" * size)["load"] == size


def test_a_descriptor_that_is_named_has_the_same_number_there_and_no_other_of_ours_is_open(
    secret: tuple[int, str],
) -> None:
    facts = said()
    assert facts["descriptors"][facts["report_fd"]].startswith("pipe:")
    assert secret[1] not in facts["descriptors"].values()


def test_not_even_a_descriptor_that_may_be_inherited_is_unless_it_is_named(secret: tuple[int, str]) -> None:
    os.set_inheritable(secret[0], True)
    assert secret[1] not in said()["descriptors"].values()


def test_the_callers_own_copies_of_what_is_inherited_stay_open() -> None:
    reads, writes = os.pipe()
    pid = spawn(LOOK, Start(writes), (writes,))
    os.write(writes, b"mine")
    os.close(writes)
    with open(reads, "rb") as report:
        assert b"mine" in report.read()
    os.waitpid(pid, 0)


def test_it_has_imported_next_to_nothing_and_not_the_script_that_was_started() -> None:
    facts = said()
    assert not facts["main_imported"]
    assert not {"pytest", "_pytest", "hypothesis", "runward"} & set(facts["modules"])


def test_it_has_neither_multiprocess_nor_dill() -> None:
    modules = {name.partition(".")[0] for name in said()["modules"]}
    assert modules & {"multiprocess", "dill", "multiprocessing"} == set()


def test_no_tracker_is_started_beside_it() -> None:
    before = own_children()
    said()
    assert own_children() == before


def test_it_can_import_what_its_parent_can() -> None:
    assert {path for path in sys.path if path} <= {*said()["path"], *sys.path[:1]}


def test_it_looks_for_garbage_again_once_it_has_imported() -> None:
    assert said()["gc"]


# ── when it does not come to life ───────────────────────────────────────────────────────────────


def test_an_exit_code_is_the_roles_own() -> None:
    pid = spawn("tests.actors.spawned:leave", Start(7), ())
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 7


def test_birth_data_that_is_cut_off_ends_it() -> None:
    def attempt() -> int:
        reads, writes = os.pipe()
        os.write(writes, msgspec.msgpack.encode(Start(0, "all of it"))[:-3])
        os.close(writes)
        try:
            born_with(reads, Start)
        except SystemExit as end:
            return int(end.code or 0)
        return 0

    assert in_a_fork(attempt) == 1


def test_a_role_that_is_not_there_is_an_exit_with_an_error(capfd: pytest.CaptureFixture[str]) -> None:
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


@pytest.mark.parametrize("interpreter", ["/bin/false", "/nonexistent/python"])
def test_a_process_that_dies_before_it_reads_its_birth_data_is_an_error_and_leaves_nothing(
    interpreter: str, monkeypatch: pytest.MonkeyPatch, tidied: Callable[[], list[str]]
) -> None:
    monkeypatch.setattr(sys, "executable", interpreter)
    with pytest.raises(BrokenPipeError):
        spawn(LOOK, Start(0, "x" * 20 * PIPE_BYTES), ())
    assert tidied() == []


@needs_root
def test_where_there_is_no_room_for_a_process_the_error_says_so_and_nothing_is_left() -> None:
    def attempt() -> list[Any]:
        become_nobody()
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        before = open_descriptors()
        try:
            spawn(LOOK, Start(0), ())
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
