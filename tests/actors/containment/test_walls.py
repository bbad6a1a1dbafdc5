"""The walls, raised in a child as a run raises them, by root and by an ordinary user: none gets through.

Each deed is tried without the walls too where it would work, so that it is the wall that refuses it.
"""

import errno
import os
import platform
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runward.actors.containment import linux, rungs
from runward.actors.containment.findings import Found
from runward.actors.containment.wall_probe import probe_walls
from runward.actors.containment.wall_trials import try_wall
from runward.actors.containment.walls import CAPABILITIES, SECCOMP, UID, WALLS, Walls
from runward.actors.errors import WallFailed
from runward.actors.messages.with_zygote import Place
from runward.config.sections import AgentSpec, ContainmentSettings, Settings
from tests.support.agents import hostile
from tests.support.privileges import lose
from tests.support.rungs import skip_unless_held

from ..forks import in_a_fork
from .nobody import become_nobody, needs_root

pytestmark = pytest.mark.usefixtures("nothing_left")


def as_is() -> None:
    """Whoever runs the tests."""


WHO = [pytest.param(as_is, id="as_is"), pytest.param(become_nobody, id="nobody", marks=needs_root)]
each_user = pytest.mark.parametrize("become", WHO)


def raised(*names: str) -> None:
    """Raise these walls, of an agent that declares nothing."""
    Walls(names, AgentSpec(), alone=False, stage="", hidden=()).raise_all(Place(1 << 20))


def inside(
    folder: Path,
    deeds: str,
    become: Callable[[], None] = as_is,
    names: tuple[str, ...] = (CAPABILITIES, SECCOMP),
) -> Any:
    """What comes of these deeds behind these walls."""
    folder.chmod(0o777)

    def work() -> Any:
        os.chdir(folder)
        become()
        raised(*names)
        return hostile.outcomes(deeds.split())

    return in_a_fork(work)


# ── seccomp ─────────────────────────────────────────────────────────────────────────────────────

FORBIDDEN = (
    "unshare clone_namespace setns mount umount pivot_root chroot open_tree move_mount fsopen fsmount mount_setattr "
    "open_by_handle ptrace ptrace_in_a_child read_memory write_memory take_descriptor limit_the_warden "
    "renice_the_warden renice_all_of_the_user pin_the_warden idle_the_warden bpf perf userfaultfd io_uring module "
    "kexec keyring add_key push_into_a_terminal setuid setuid_at_once"
)
UNCOMMON = "vsock crypto packets"
USUAL = "fork program shell own_limit own_priority own_affinity socketpair chmod"


@each_user
def test_what_the_filter_forbids_is_forbidden(tmp_path: Path, become: Callable[[], None]) -> None:
    assert inside(tmp_path, FORBIDDEN, become) == dict.fromkeys(FORBIDDEN.split(), "EPERM")
    assert inside(tmp_path, UNCOMMON, become) == dict.fromkeys(UNCOMMON.split(), "EAFNOSUPPORT")
    assert inside(tmp_path, "clone3 firewall", become) == {"clone3": "ENOSYS", "firewall": "EPROTONOSUPPORT"}


@each_user
def test_what_programs_do_every_day_goes_on_working(tmp_path: Path, become: Callable[[], None]) -> None:
    assert inside(tmp_path, USUAL, become) == dict.fromkeys(USUAL.split(), "done")


def test_it_is_the_filter_that_forbids(tmp_path: Path) -> None:
    free = "ptrace keyring setuid setuid_at_once internet"
    assert inside(tmp_path, free, names=()) == dict.fromkeys(free.split(), "done")


def test_a_network_that_is_not_declared_is_not_there(tmp_path: Path) -> None:
    """Nor are sockets that could find another program by its path, where every path is there to be tried."""
    internet = "internet internet6 datagrams unix"
    assert inside(tmp_path, internet) == dict.fromkeys(internet.split(), "EACCES")


# ── capabilities ────────────────────────────────────────────────────────────────────────────────

SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")


def capabilities() -> dict[str, int]:
    status = dict(
        line.split(":\t") for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line
    )
    return {name: int(status[name], 16) for name in SETS}


@needs_root
def test_no_capability_is_left_in_any_set_and_root_gets_none_back_by_executing(tmp_path: Path) -> None:
    def work() -> Any:
        raised(CAPABILITIES)
        left = capabilities()
        executed = os.popen("cat /proc/self/status").read()  # noqa: S605
        return [left, [line.split()[1] for line in executed.splitlines() if line.startswith("Cap")]]

    left, after_exec = in_a_fork(work)
    assert left == dict.fromkeys(SETS, 0)
    assert {int(each, 16) for each in after_exec} == {0}


@needs_root
def test_an_ordinary_user_can_raise_it_too(tmp_path: Path) -> None:
    def work() -> Any:
        become_nobody()
        raised(CAPABILITIES)
        left = capabilities()
        return [left[name] for name in SETS if name != "CapBnd"]  # which only root could drop

    assert in_a_fork(work) == [0, 0, 0, 0]


@needs_root
def test_without_capabilities_root_is_refused_what_it_does_not_own(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    os.chown(secret, 65_534, 65_534)
    secret.chmod(0o600)

    def work() -> Any:
        raised(CAPABILITIES)
        return [hostile.outcome(secret.read_text), hostile.outcome(lambda: os.setuid(1))]

    assert in_a_fork(work) == ["EACCES", "EPERM"]


# ── had, left out, failed ───────────────────────────────────────────────────────────────────────


def found_on(rung: str, without: tuple[str, ...] = ()) -> Any:
    found = Found(rung=rung, user_namespace=rung == "pidns" and os.geteuid() != 0)
    settings = Settings(containment=ContainmentSettings(without=without))  # type: ignore[arg-type]
    probed = probe_walls(found, settings)
    return [probed.walls_held, probed.missing]


@pytest.mark.parametrize("rung", rungs.RUNGS)
def test_a_probe_finds_what_this_machine_has(rung: str) -> None:
    skip_unless_held(rung)
    assert in_a_fork(lambda: found_on(rung)) == [list(WALLS), []]


def test_what_settings_do_without_is_not_had_and_told() -> None:
    found = in_a_fork(lambda: found_on("subreaper", (WALLS[-1],)))
    assert found == [list(WALLS[:-1]), ["wall seccomp: left out by containment.without"]]


@needs_root
@pytest.mark.parametrize(("number", "name"), [(1, "CAP_DAC_OVERRIDE"), (5, "CAP_KILL")])
def test_runs_have_no_users_of_their_own_where_the_server_has_no_power_over_them(
    number: int, name: str, tmp_path: Path
) -> None:
    """Else a run could not be terminated there, or what it left not be removed."""

    def work() -> Any:
        found, uid = Found(rung="subreaper"), 1_879_048_192
        before = try_wall(UID, found, str(tmp_path), uid)
        lose(number)
        after = try_wall(UID, found, str(tmp_path), uid)
        return [before.works, after.errno, after.detail]

    assert in_a_fork(work) == [True, errno.EPERM, name]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the filter that withholds seccomp is for x86_64")
def test_a_wall_that_the_kernel_refuses_is_missing_with_its_words_and_fails_a_run() -> None:
    def work() -> Any:
        _withhold_seccomp()
        tried = try_wall(SECCOMP, Found(rung="subreaper"), "")
        try:
            raised(SECCOMP)
        except WallFailed as failed:
            return [tried.errno, failed.errno, str(failed)]

    found, number, words = in_a_fork(work)
    assert found == number == 13
    assert "the wall 'seccomp' can't be raised: Permission denied" in words


def _withhold_seccomp() -> None:
    """A filter that refuses further filters: prctl(PR_SET_SECCOMP) answers EACCES, as some sandboxes have it."""
    steps = (
        (0x20, 0, 0, 0),  # the number of the call
        (0x15, 0, 3, 157),  # prctl
        (0x20, 0, 0, 16),  # its first argument
        (0x15, 0, 1, 22),  # PR_SET_SECCOMP
        (0x06, 0, 0, 0x00050000 | 13),
        (0x06, 0, 0, 0x7FFF0000),
    )
    linux.set_no_new_privileges()
    linux.SystemCallFilter(b"".join(struct.pack("=HBBI", *each) for each in steps)).apply()
