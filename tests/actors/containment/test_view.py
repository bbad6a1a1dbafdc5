"""The root of its own that a run gets: what is there, what may be written, and that nothing leads out of it."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runward.actors.containment import linux
from runward.actors.containment.view import WORK_FOLDER, View
from runward.actors.containment.visible import visible
from runward.config.sections import AgentPaths, AgentSpec
from tests.support.agents.hostile import outcomes
from tests.support.leaks import short_folder

from ..forks import in_a_fork
from .test_linux import in_a_clone

pytestmark = pytest.mark.usefixtures("nothing_left")

SIZE_BYTES = 16 << 20
ROOT = os.geteuid() == 0
NAMESPACES = linux.CLONE_NEWPID | linux.CLONE_NEWNS | (0 if ROOT else linux.CLONE_NEWUSER)


@pytest.fixture
def stage() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


@pytest.fixture(scope="module", autouse=True)
def _namespaces() -> None:
    """Skips where no mount namespace can be had."""
    try:
        in_a_clone(lambda: None, NAMESPACES)
    except OSError as error:
        pytest.skip(f"no mount namespace: {error}")


def inside(stage: Path, work: Callable[[], Any], hidden: tuple[Path, ...] = (), **declared: object) -> Any:
    """What the work returns where this view is the root, and the process is alone in its pid namespace."""
    view = View(visible(AgentSpec(**declared), map(str, hidden)), str(stage), alone=True)  # type: ignore[arg-type]
    uid, gid = os.geteuid(), os.getegid()

    def viewed() -> Any:
        if not ROOT:
            linux.set_dumpable(True)
            linux.map_own_ids(uid, gid)
        view.make(SIZE_BYTES)
        return work()

    return in_a_clone(viewed, NAMESPACES)


def attempted(stage: Path, deeds: str, hidden: tuple[Path, ...] = (), **declared: object) -> Any:
    return inside(stage, lambda: outcomes(deeds.split()), hidden, **declared)


# ── what is there ───────────────────────────────────────────────────────────────────────────────


def test_the_root_holds_what_is_visible_and_its_own_folders(stage: Path) -> None:
    found = set(inside(stage, lambda: os.listdir("/")))
    assert {"usr", "etc", "proc", "dev", "tmp", "sys"} <= found
    assert not {"boot", "mnt", "srv", "media"} & found
    assert inside(stage, lambda: [os.getcwd(), os.listdir(".")]) == [WORK_FOLDER, []]


def test_devices_are_those_that_do_no_harm(stage: Path) -> None:
    def devices() -> list[str]:
        return sorted(name for name in os.listdir("/dev") if stat.S_ISCHR(os.lstat(f"/dev/{name}").st_mode))

    assert inside(stage, devices) == ["full", "null", "random", "urandom", "zero"]


def test_processes_are_its_own(stage: Path) -> None:
    assert inside(stage, lambda: [name for name in os.listdir("/proc") if name.isdecimal()]) == ["1"]


def test_programs_python_and_terminals_work(stage: Path) -> None:
    import numpy

    assert numpy
    deeds = "program shell terminal write:/dev/null"
    assert attempted(stage, deeds) == dict.fromkeys(deeds.split(), "done")


# ── what may be written ─────────────────────────────────────────────────────────────────────────


def test_only_its_own_folders_may_be_written(stage: Path) -> None:
    own = f"write:x write:{WORK_FOLDER}/y write:/tmp/x write:/dev/shm/x write:/var/tmp/x"
    assert attempted(stage, own) == dict.fromkeys(own.split(), "done")
    others = (
        "write:/x write:/usr/x write:/etc/x write:/dev/x write:/proc/sys/kernel/core_pattern write:/sys/x"
    )
    outcome = attempted(stage, others)
    assert set(outcome.values()) <= {"EROFS", "EACCES"}, outcome


def test_nor_may_modes_times_and_names_of_what_is_seen_be_changed(stage: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    deeds = f"chmod:{tmp_path}/file touch:{tmp_path}/file remove:{tmp_path}/file chmod:/usr chmod:/etc/passwd chmod:/"
    assert attempted(stage, deeds, import_root=str(tmp_path)) == dict.fromkeys(deeds.split(), "EROFS")


def test_what_is_written_is_not_on_the_host_and_goes_with_the_run(stage: Path) -> None:
    name = f"rw-view-{os.getpid()}"
    assert attempted(stage, f"write:/tmp/{name} write:/dev/shm/{name}") is not None
    assert not Path(f"/tmp/{name}").exists()
    assert not Path(f"/dev/shm/{name}").exists()
    assert list(stage.iterdir()) == []


@pytest.mark.parametrize("folder", [WORK_FOLDER, "/tmp", "/dev/shm"])
def test_there_is_room_for_so_much_and_no_more(stage: Path, folder: str) -> None:
    deeds = [f"fill:{folder}", f"fill_with_files:{folder}", f"write:{folder}/still"]
    assert attempted(stage, " ".join(deeds)) == dict(zip(deeds, ("ENOSPC", "ENOSPC", "done"), strict=True))


def test_declared_paths_are_readable_or_writable_as_declared(stage: Path, tmp_path: Path) -> None:
    for name in ("read", "write"):
        (tmp_path / name).mkdir()
    paths = AgentPaths(readable=(f"{tmp_path}/read",), writable=(f"{tmp_path}/write",))
    deeds = f"list:{tmp_path}/read write:{tmp_path}/read/x write:{tmp_path}/write/x list:{tmp_path}/.."
    assert list(attempted(stage, deeds, paths=paths).values()) == ["done", "EROFS", "done", "done"]
    assert (tmp_path / "write" / "x").read_bytes() == b"x"


def test_a_file_can_be_declared_and_a_folder_in_a_folder(stage: Path, tmp_path: Path) -> None:
    (tmp_path / "all" / "mine").mkdir(parents=True)
    (tmp_path / "file").touch()
    paths = AgentPaths(readable=(f"{tmp_path}/all", f"{tmp_path}/file"), writable=(f"{tmp_path}/all/mine",))
    deeds = f"read:{tmp_path}/file write:{tmp_path}/all/x write:{tmp_path}/all/mine/x list:{tmp_path}"
    assert list(attempted(stage, deeds, paths=paths).values()) == ["done", "EROFS", "done", "done"]


@pytest.mark.skipif(not ROOT, reason="who is not root can leave no file of root's")
def test_no_file_that_is_seen_lends_the_rights_of_its_owner(stage: Path, tmp_path: Path) -> None:
    program = tmp_path / "id"
    program.write_bytes(Path("/usr/bin/id").read_bytes())
    os.chown(program, 4000, 4000)
    program.chmod(0o6755)

    def identity() -> str:
        return os.popen(f"{program} -u").read().strip()  # noqa: S605

    assert in_a_fork(identity) == "4000"
    for declared in ({"import_root": str(tmp_path)}, {"paths": AgentPaths(writable=(str(tmp_path),))}):
        assert inside(stage, identity, **declared) == "0"


# ── what is out of sight ────────────────────────────────────────────────────────────────────────


def test_what_is_hidden_in_a_seen_folder_is_empty_and_stays_so(stage: Path, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "journal.db").write_text("secret")
    (tmp_path / "config").write_text("secret")
    hidden = (tmp_path / "state", tmp_path / "config")

    def look() -> list[Any]:
        return [(tmp_path / "config").read_text(), os.listdir(tmp_path / "state")]

    for declared in ({"import_root": str(tmp_path)}, {"paths": AgentPaths(writable=(str(tmp_path),))}):
        assert inside(stage, look, hidden, **declared) == ["", []]
        written = attempted(stage, f"write:{tmp_path}/state/x", hidden, **declared)
        assert list(written.values()) == ["EROFS"]


def test_the_host_is_not_there(stage: Path) -> None:
    deeds = f"list:{stage} list:/sys/fs/cgroup list:/home read:/proc/1/root/etc/shadow_ list:/lost+found"
    assert set(attempted(stage, deeds).values()) == {"ENOENT"}


def test_nothing_leads_out_of_it(stage: Path, tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("../" * 40 + str(stage))

    def out() -> list[str]:
        os.chdir("/")
        for _ in range(40):
            os.chdir("..")
        return [os.getcwd(), *sorted(os.listdir("."))]

    listing = inside(stage, out)
    assert listing[0] == "/"
    assert "home" not in listing
    deeds = f"list:{tmp_path}/out enter:{tmp_path}/out"
    assert set(attempted(stage, deeds, import_root=str(tmp_path)).values()) == {"ENOENT"}
