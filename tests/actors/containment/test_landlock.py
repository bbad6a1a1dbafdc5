"""The rules by themselves, where no mount hides anything: what is not allowed is closed, to root and to others."""

import os
import signal
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runward.actors.containment import linux
from runward.actors.containment.landlock import Landlock
from runward.actors.containment.visible import visible
from runward.config.sections import AgentPaths, AgentSpec
from tests.support.agents.hostile import outcomes

from ..forks import REPORT_FD, in_a_fork
from .nobody import become_nobody, needs_root

pytestmark = pytest.mark.usefixtures("nothing_left")

try:
    ABI = linux.landlock_abi()
except OSError:
    ABI = 0

needs_landlock = pytest.mark.skipif(ABI < 1, reason="this kernel has no landlock")
needs_scopes = pytest.mark.skipif(ABI < 6, reason="this kernel's landlock has no scopes")
needs_ports = pytest.mark.skipif(ABI < 4, reason="this kernel's landlock knows no TCP")


def as_is() -> None:
    """Whoever runs the tests."""


each_user = pytest.mark.parametrize(
    "become", [pytest.param(as_is, id="as_is"), pytest.param(become_nobody, id="nobody", marks=needs_root)]
)


def inside(
    own: Path, work: Callable[[], Any], become: Callable[[], None] = as_is, abi: int = ABI, **declared: object
) -> Any:
    """What the work returns behind the rules for this agent. `own` is its folder; of it `hidden` is the server's."""
    hidden = [str(path) for path in own.rglob("hidden")]
    rules = Landlock(abi, visible(AgentSpec(**declared), hidden), own_root=False, own_network=False)  # type: ignore[arg-type]

    def held() -> Any:
        become()
        linux.set_no_new_privileges()
        rules.apply([str(own / "own")])
        return work()

    return in_a_fork(held)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """`own` to write to; files and folders beside it, all open to everybody by their modes."""
    for name in ("own", "seen", "seen/deep", "seen/hidden", "other"):
        (tmp_path / name).mkdir(mode=0o777)
        (tmp_path / name).chmod(0o777)
        (tmp_path / name / "file").write_text("x")
        (tmp_path / name / "file").chmod(0o666)
    for parent in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        parent.chmod(0o755)
    return tmp_path


def attempted(folder: Path, deeds: str, **more: Any) -> dict[str, str]:
    deeds = deeds.replace(":", f":{folder}/")
    found = inside(folder, lambda: outcomes(deeds.split()), **more)
    return {deed.replace(f"{folder}/", ""): outcome for deed, outcome in found.items()}


def waiting() -> int:
    """A process that waits for its end, at most some seconds; its pid. It holds nothing of the test's."""
    pid = os.fork()
    if pid == 0:
        os.closerange(0, REPORT_FD + 1)
        signal.alarm(20)
        signal.pause()
        os._exit(0)
    return pid


# ── files ───────────────────────────────────────────────────────────────────────────────────────


@needs_landlock
@each_user
def test_what_is_not_allowed_is_closed_whatever_its_mode(folder: Path, become: Callable[[], None]) -> None:
    deeds = "read:other/file write:other/file list:other remove:other/file write:other/new read:seen/file"
    assert set(attempted(folder, deeds, become=become).values()) == {"EACCES"}


@needs_landlock
@each_user
def test_its_own_folder_is_its_own(folder: Path, become: Callable[[], None]) -> None:
    deeds = "list:own read:own/file write:own/file write:own/new remove:own/new"
    assert set(attempted(folder, deeds, become=become).values()) == {"done"}


@needs_landlock
@each_user
def test_what_is_readable_is_not_writable(folder: Path, become: Callable[[], None]) -> None:
    paths = AgentPaths(readable=(f"{folder}/other",))
    deeds = "list:other read:other/file write:other/file write:other/new remove:other/file"
    found = attempted(folder, deeds, become=become, paths=paths)
    assert list(found.values()) == ["done", "done", "EACCES", "EACCES", "EACCES"]


@needs_landlock
def test_a_file_that_is_declared_is_that_file_alone(folder: Path) -> None:
    paths = AgentPaths(readable=(f"{folder}/seen/file",), writable=(f"{folder}/other/file",))
    deeds = "read:seen/file write:seen/file read:seen/deep/file write:other/file write:other/new"
    found = attempted(folder, deeds, paths=paths)
    assert list(found.values()) == ["done", "EACCES", "EACCES", "done", "EACCES"]


@needs_landlock
@pytest.mark.parametrize("what", ["readable", "writable"])
def test_what_is_hidden_in_a_folder_that_is_seen_is_closed_and_its_siblings_are_not(
    folder: Path, what: str
) -> None:
    (folder / "seen" / "deep" / "hidden").mkdir()
    paths = AgentPaths(**{what: (f"{folder}/seen",)})
    deeds = "read:seen/file read:seen/deep/file read:seen/hidden/file list:seen/hidden list:seen/deep/hidden"
    found = attempted(folder, deeds, paths=paths)
    assert list(found.values()) == ["done", "done", "EACCES", "EACCES", "EACCES"]


@needs_landlock
def test_files_that_come_later_are_seen_too_beside_what_is_hidden(folder: Path) -> None:
    """The siblings are named for each run: an editor makes a new file when it saves."""
    hidden = [f"{folder}/seen/hidden"]
    seen = visible(AgentSpec(import_root=f"{folder}/seen"), hidden)
    rules = Landlock(ABI, seen, own_root=False, own_network=True)
    (folder / "seen" / "later").write_text("x")

    def read() -> dict[str, str]:
        linux.set_no_new_privileges()
        rules.apply([])
        return outcomes([f"read:{folder}/seen/later", f"list:{folder}/seen/hidden"])

    assert list(in_a_fork(read).values()) == ["done", "EACCES"]


@needs_landlock
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may read them at all")
def test_root_reads_no_secret_in_etc(folder: Path) -> None:
    def read() -> dict[str, str]:
        return outcomes(["read:/etc/shadow", "read:/etc/passwd", "list:/etc/ssl/certs", "list:/etc"])

    assert list(inside(folder, read).values()) == ["EACCES", "done", "done", "EACCES"]


@needs_landlock
def test_files_move_between_its_own_folders(folder: Path) -> None:
    def move() -> None:
        os.mkdir(f"{folder}/own/a")
        os.rename(f"{folder}/own/file", f"{folder}/own/a/file")

    if ABI > 1:
        inside(folder, move)


@needs_landlock
@pytest.mark.parametrize("abi", range(1, 9))
def test_only_rights_are_asked_for_that_an_abi_has(folder: Path, abi: int) -> None:
    """The kernel refuses others; a later one still knows those of an earlier."""
    if abi <= ABI:
        deeds = "write:own/file read:other/file"
        assert list(attempted(folder, deeds, abi=abi).values()) == ["done", "EACCES"]
    rules = Landlock(abi, visible(AgentSpec(), ()), own_root=False, own_network=False)
    fields = struct.unpack(f"={len(rules._attributes) // 8}Q", rules._attributes)
    assert fields[0].bit_length() == {1: 13, 2: 14, 3: 15, 4: 15}.get(abi, 16)
    assert fields[1:] == ((3,) if abi >= 4 else ()) + ((3,) if abi >= 6 else ())


# ── others ──────────────────────────────────────────────────────────────────────────────────────


@needs_scopes
@each_user
def test_no_signal_reaches_others_of_the_same_user_and_those_to_its_own_do(
    folder: Path, become: Callable[[], None]
) -> None:
    def held() -> Any:
        become()
        outsider = waiting()
        linux.set_no_new_privileges()
        Landlock(ABI, visible(AgentSpec(), ()), own_root=False, own_network=True).apply([])
        child = waiting()
        found = outcomes([f"signal:{outsider}", f"signal:{os.getpid()}", f"signal:{child}"])
        os.kill(child, signal.SIGKILL)
        return [outsider, *found.values()]

    outsider, *found = in_a_fork(held)
    os.kill(outsider, signal.SIGKILL)
    assert found == ["EPERM", "done", "done"]


@needs_landlock
@each_user
def test_others_of_the_same_user_can_not_be_looked_into(folder: Path, become: Callable[[], None]) -> None:
    def held() -> Any:
        become()
        linux.set_dumpable(True)
        outsider = waiting()
        deeds = [
            f"read:/proc/{outsider}/environ",
            f"follow:/proc/{outsider}/cwd",
            f"read:/proc/{outsider}/maps",
        ]
        before = outcomes(deeds)
        linux.drop_capabilities()  # CAP_PERFMON looks into everybody
        linux.set_no_new_privileges()
        Landlock(ABI, visible(AgentSpec(), ()), own_root=False, own_network=True).apply([])
        after = outcomes(deeds)
        return [outsider, [*before.values()], [*after.values()]]

    outsider, before, after = in_a_fork(held)
    os.kill(outsider, signal.SIGKILL)
    assert before == ["done"] * 3
    assert set(after) <= {"EACCES", "EPERM"}


@needs_scopes
def test_no_abstract_socket_of_the_host_is_reached(folder: Path) -> None:
    name = f"\0runward-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(name)
        listening.listen()

        def connect() -> str:
            with socket.socket(socket.AF_UNIX) as near:
                try:
                    near.connect(name)
                except OSError as error:
                    return os.strerror(error.errno or 0)
            return "connected"

        assert inside(folder, connect) == "Operation not permitted"


@needs_ports
def test_where_the_network_is_not_its_own_no_port_is_reached(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        deed = f"connect:127.0.0.1:{server.getsockname()[1]}"
        assert inside(folder, lambda: outcomes([deed])) == {deed: "EACCES"}
        assert in_a_fork(lambda: outcomes([deed])) == {deed: "done"}


@needs_landlock
def test_it_holds_after_an_exec(folder: Path) -> None:
    def execute() -> str:
        return os.popen(f"cat {folder}/other/file 2>&1; cat {folder}/own/file").read()  # noqa: S605

    said = inside(folder, execute)
    assert "Permission denied" in said
    assert said.endswith("x")
