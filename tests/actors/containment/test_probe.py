"""What a machine allows is found out by doing it; what it refuses is named with the kernel's own words.

Rungs are withheld here for real, in children: by the limits that each user namespace has on the namespaces below
it (namespaces(7)), and by a seccomp filter such as container runtimes set.
"""

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runward.actors.containment import linux, rungs
from runward.actors.containment.finding_out import find_out
from runward.actors.containment.findings import Found, Place, Tried
from runward.actors.containment.probe import check_required, choose, lacking_wall, probe
from runward.actors.containment.rungs import CGROUP, GROUP, LEVELS, PIDNS, RUNGS, SCOPE, SUBREAPER
from runward.actors.errors import ContainmentMissing
from runward.config.sections import ContainmentSettings, Settings
from tests.support.delegation import delegated
from tests.support.rungs import skip_unless_held

from ..forks import in_a_fork, own_children
from . import bad
from .nobody import NOBODY, become_nobody, needs_root
from .test_linux import in_a_clone
from .wardens import hold_and_end

pytestmark = pytest.mark.usefixtures("nothing_left")


def found(wanted: str = "auto") -> Any:
    """What the probe says, or refuses with."""
    try:
        what = probe(wanted)
    except ContainmentMissing as missing:
        return str(missing)
    return [what.rung, what.user_namespace, list(what.missing)]


# ── where nothing is withheld ───────────────────────────────────────────────────────────────────


@needs_root
def test_root_finds_the_cgroup_and_the_pid_namespace_without_a_user_namespace() -> None:
    skip_unless_held("cgroup")
    assert in_a_fork(found) == ["cgroup", False, []]


@needs_root
def test_an_ordinary_user_finds_the_pid_namespace_in_a_user_namespace_and_hears_why_no_cgroup() -> None:
    skip_unless_held("pidns")

    def work() -> Any:
        become_nobody()
        return found()

    rung, user_namespace, missing = in_a_fork(work)
    assert (rung, user_namespace) == ("pidns", True)
    assert [each[:47] for each in missing] == [
        "K4 cgroup and pid namespace: cgroup_kill: Permi"
    ] or _no_cgroups()


@needs_root
def test_an_ordinary_user_whom_a_cgroup_was_delegated_to_finds_that() -> None:
    skip_unless_held("cgroup")

    def work(cgroup: Path) -> Any:
        (cgroup / "cgroup.procs").write_text(str(os.getpid()))
        become_nobody()
        return found()

    with delegated(NOBODY) as cgroup:
        assert in_a_fork(lambda: work(cgroup)) == ["cgroup", True, []]


def _no_cgroups() -> bool:
    return not Path("/sys/fs/cgroup").is_dir()


def test_what_is_wanted_is_what_is_found() -> None:
    skip_unless_held("pidns")
    assert in_a_fork(lambda: found("subreaper")) == ["subreaper", False, []]
    assert in_a_fork(lambda: found("pidns")) == ["pidns", os.geteuid() != 0, []]


@pytest.mark.parametrize("rung", [CGROUP, PIDNS, SUBREAPER], ids=lambda rung: rung.name)
def test_a_probe_leaves_nothing_and_takes_no_time(rung: rungs.KillRung) -> None:
    skip_unless_held(rung.name)
    before, children = os.listdir("/proc/self/fd"), own_children()
    assert rungs.try_rung(rung, rung.has_pid_namespace and os.geteuid() != 0) is None
    assert os.listdir("/proc/self/fd") == before
    assert own_children() == children


# ── where something is withheld ─────────────────────────────────────────────────────────────────


def in_a_namespace_with(limits: dict[str, int], work: Callable[[], Any]) -> Any:
    """The work, in a user namespace that may hold only so many namespaces of these kinds."""
    uid, gid = os.geteuid(), os.getegid()

    def limited() -> Any:
        linux.set_dumpable(True)
        linux.map_own_ids(uid, gid)
        for kind, most in limits.items():
            Path(f"/proc/sys/user/max_{kind}_namespaces").write_text(str(most))
        return work()

    return in_a_clone(limited, linux.CLONE_NEWUSER)


NO_ROOM = os.strerror(errno.ENOSPC)


@needs_root
def test_without_pid_namespaces_the_best_of_the_others_is_found_and_both_refusals_are_told() -> None:
    skip_unless_held("scope")
    refused = f"{NO_ROOM} (ENOSPC, in a user namespace: {NO_ROOM} (ENOSPC))"
    # In a user namespace of one id, where root can be nobody else either.
    rung, user_namespace, missing = in_a_namespace_with({"pid": 0}, found)
    assert (rung, user_namespace, missing[:2]) == (
        "scope",
        False,
        [f"K4 cgroup and pid namespace: pid_namespace: {refused}", f"K3 pid namespace: {refused}"],
    )
    assert missing[2].startswith("K2 user of its own: uid_kill: ")


@needs_root
def test_without_user_namespaces_root_has_its_pid_namespace_all_the_same() -> None:
    assert in_a_namespace_with({"user": 0}, lambda: found("pidns")) == ["pidns", False, []]


@needs_root
def test_without_user_namespaces_an_ordinary_user_has_the_best_of_the_others_and_is_told_why() -> None:
    skip_unless_held("scope")

    def work() -> Any:
        become_nobody()
        return in_a_namespace_with({"user": 0}, found)

    rung, user_namespace, missing = in_a_fork(work)
    assert (rung, user_namespace, missing[1]) == (
        "scope",
        False,
        f"K3 pid namespace: {NO_ROOM} (ENOSPC)",
    )


@needs_root
def test_what_is_wanted_and_withheld_is_refused_with_the_kernels_words() -> None:
    words = in_a_namespace_with({"pid": 0}, lambda: found("pidns"))
    assert words.startswith("containment.kill = 'pidns' can't be had here: ")
    assert words.count(NO_ROOM) == 2


@needs_root
def test_what_is_wanted_and_not_withheld_is_found_however_much_else_is() -> None:
    assert in_a_namespace_with({"pid": 0, "user": 0}, lambda: found("subreaper")) == ["subreaper", False, []]


# ── in a container ──────────────────────────────────────────────────────────────────────────────

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CLONE3 = 435


def deny_clone3(number: int = errno.ENOSYS) -> None:
    """As Docker's own seccomp profile does it for whoever lacks CAP_SYS_ADMIN: clone3 is not there."""
    linux.set_no_new_privileges()
    load, jump_if_equal, answer = 0x20, 0x15, 0x06
    program = b"".join(
        struct.pack("HBBI", *each)
        for each in (
            (load, 0, 0, 4),  # the architecture
            (jump_if_equal, 0, 3, _AUDIT_ARCH[platform.machine()]),
            (load, 0, 0, 0),  # the number of the call
            (jump_if_equal, 0, 1, _CLONE3),
            (answer, 0, 0, 0x00050000 | number),
            (answer, 0, 0, 0x7FFF0000),  # allowed
        )
    )
    code = ctypes.create_string_buffer(program)
    filter_ = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(code))
    result = ctypes.CDLL(None, use_errno=True).prctl(22, 2, ctypes.create_string_buffer(filter_), 0, 0)
    assert result == 0, os.strerror(ctypes.get_errno())


containers = pytest.mark.parametrize("number", [errno.ENOSYS, errno.EPERM], ids=["ENOSYS", "EPERM"])


@containers
def test_the_filter_that_stands_for_a_containers_does_what_it_should(number: int) -> None:
    def work() -> list[Any]:
        deny_clone3(number)
        forked = in_a_fork(os.getppid) == os.getpid()
        try:
            if linux.clone_process(linux.CLONE_NEWUSER) is None:
                os._exit(0)
        except OSError as error:
            return [forked, error.errno]
        return [forked, 0]

    assert in_a_fork(work) == [True, number]


@containers
def test_in_a_container_that_knows_no_clone3_the_best_of_the_others_is_found(number: int) -> None:
    def work() -> Any:
        deny_clone3(number)
        return found()

    rung, _, missing = in_a_fork(work)
    assert rung in ("uid", "scope", "subreaper")
    assert os.strerror(number) in " ".join(missing)


@containers
def test_in_such_a_container_nothing_survives_either(number: int) -> None:
    def work() -> Any:
        deny_clone3(number)
        return hold_and_end(SUBREAPER, False, bad.chains)._asdict()

    ended = in_a_fork(work)
    assert (ended["survivors"], ended["alive"]) == ([], False)


# ── what is required ────────────────────────────────────────────────────────────────────────────

K3 = Found(rung="pidns")
K1 = Found(rung="subreaper", missing=("K3 pid namespace: Operation not permitted",))


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_is_met_by_itself_and_whatever_is_stronger(level: str) -> None:
    for held in (K3, K1):
        met = LEVELS.index(RUNGS[held.rung].level) >= LEVELS.index(level)
        if met:
            check_required(held, (f"kill>={level}",))
        else:
            with pytest.raises(ContainmentMissing, match=f"asks for what can't be had here: kill>={level}"):
                check_required(held, (f"kill>={level}",))


def test_what_is_not_met_is_named_with_the_reason_of_the_machine() -> None:
    with pytest.raises(ContainmentMissing) as missing:
        check_required(K1, ("kill>=K3", "kill>=K1-", "kill>=K4"))
    why = "(K3 pid namespace: Operation not permitted)"
    assert str(missing.value) == (
        f"containment.require asks for what can't be had here: kill>=K3 {why}; kill>=K4 {why}"
    )


def test_what_no_machine_has_with_this_build_is_told_as_such() -> None:
    with pytest.raises(ContainmentMissing, match="this build reaches K3"):
        check_required(K3, ("kill>=K4",))


@pytest.mark.parametrize(
    "requirement", ["mem=cgroup", "kill", "kill>=", "kill>=K9", "", "kill>K3", "net>=K1"]
)
def test_what_is_not_understood_is_not_met(requirement: str) -> None:
    with pytest.raises(ContainmentMissing, match=r"containment\.require asks for what can't be had"):
        check_required(K3, (requirement,))


NO_CGROUP = {f"{name}_cgroup": Tried(errno.EROFS, detail="/sys/fs/cgroup") for name in ("memory", "pids")}


def test_a_cgroup_that_limits_is_what_memory_and_pids_ask_for() -> None:
    check_required(Found(rung="pidns", places=(Place(1, "/x", ("memory", "pids")),)), ("memory", "pids"))
    check_required(Found(rung="pidns", user_namespace=True, tried=NO_CGROUP), ("pids",))
    with pytest.raises(ContainmentMissing) as missing:
        check_required(Found(rung="pidns", tried=NO_CGROUP), ("kill>=K3", "memory", "pids"))
    assert str(missing.value) == (
        "containment.require asks for what can't be had here: memory (memory: only watched by the warden, since no "
        "cgroup holds it: Read-only file system (EROFS, /sys/fs/cgroup)); pids (pids: nothing holds it; no cgroup: "
        "Read-only file system (EROFS, /sys/fs/cgroup))"
    )


def test_a_wall_that_is_held_is_what_its_axis_asks_for() -> None:
    held = Found(rung="pidns", walls={"seccomp": Tried()})
    check_required(held, ("system_calls",))
    with pytest.raises(ContainmentMissing, match="system_calls"):
        check_required(Found(rung="pidns", walls={"seccomp": Tried(errno.EINVAL)}), ("system_calls",))


def test_nothing_required_is_always_met() -> None:
    check_required(K1, ())


# ── the choice ──────────────────────────────────────────────────────────────────────────────────

NO = Tried(errno.EPERM)
IN_USER = Tried(detail="in a user namespace")


def chosen(wanted: str = "auto", **tried: Tried) -> list[Any]:
    what = choose(Found(rung="", tried=tried), wanted)
    return [what.rung, what.user_namespace, list(what.missing)]


def test_the_best_that_works_is_chosen() -> None:
    assert chosen(pid_namespace=Tried(), cgroup_kill=Tried(), subreaper=Tried()) == ["cgroup", False, []]
    assert chosen(pid_namespace=IN_USER, cgroup_kill=Tried()) == ["cgroup", True, []]
    assert chosen("pidns", pid_namespace=Tried(), cgroup_kill=Tried()) == ["pidns", False, []]
    assert chosen("pidns", pid_namespace=IN_USER) == ["pidns", True, []]


def test_what_is_better_and_refused_is_named() -> None:
    told = [
        "K4 cgroup and pid namespace: pid_namespace: Operation not permitted (EPERM)",
        "K3 pid namespace: Operation not permitted (EPERM)",
        "K2 user of its own: uid_kill: Operation not permitted (EPERM)",
        "K1 subreaper that runs can't reach: signal_scope: Operation not permitted (EPERM)",
    ]
    assert chosen(pid_namespace=NO, cgroup_kill=Tried(), subreaper=Tried()) == ["subreaper", False, told]
    told = ["K4 cgroup and pid namespace: cgroup_kill: Operation not permitted (EPERM)"]
    assert chosen(pid_namespace=Tried(), cgroup_kill=NO) == ["pidns", False, told]


def test_who_asks_for_another_rung_than_the_cgroups_has_only_the_cgroups_that_limit() -> None:
    places = (Place(2, "/kills"), Place(1, "/limits", ("pids",)))
    tried = {"pid_namespace": Tried(), "cgroup_kill": Tried()}
    found = Found(rung="", tried=tried, places=places)
    assert choose(found, "auto").places == places
    assert choose(found, "cgroup").places == places
    assert choose(found, "pidns").places == places[1:]
    assert (
        choose(
            Found(rung="", tried=tried | {"pid_namespace": NO, "subreaper": Tried()}, places=places), "auto"
        ).places
        == places
    )


def test_who_asks_for_one_gets_that_and_hears_of_no_other() -> None:
    assert chosen("subreaper", pid_namespace=NO, subreaper=Tried()) == ["subreaper", False, []]
    with pytest.raises(ContainmentMissing, match=r"'pidns' can't be had here: K3 pid namespace: Operation"):
        chosen("pidns", pid_namespace=NO, subreaper=Tried())


def test_where_nothing_works_nothing_is_chosen() -> None:
    with pytest.raises(
        ContainmentMissing, match=r"no kill rung can be had here: K4 .*; K3 .*; K1- subreaper: "
    ):
        chosen(pid_namespace=NO, subreaper=NO)


SCOPED = {name: Tried() for name in ("subreaper", "signal_scope", "seccomp")}


def test_without_namespaces_a_warden_is_out_of_its_runs_reach_where_the_kernel_has_the_scope() -> None:
    assert chosen("auto", pid_namespace=NO, **SCOPED)[0] == "scope"
    old = Tried(errno.ENOSYS, detail="landlock ABI 5, Linux 6.12 has it")
    rung, _, missing = chosen("auto", pid_namespace=NO, **SCOPED | {"signal_scope": old})
    assert rung == "subreaper"
    assert missing[-1] == (
        "K1 subreaper that runs can't reach: signal_scope: Function not implemented"
        " (ENOSYS, landlock ABI 5, Linux 6.12 has it)"
    )


def test_a_process_group_is_only_for_who_asks_for_it() -> None:
    assert chosen("group", pid_namespace=NO, subreaper=NO)[0] == "group"
    with pytest.raises(ContainmentMissing):
        chosen(pid_namespace=NO, subreaper=NO)


def test_a_rung_that_lacks_a_wall_is_passed_over_and_named() -> None:
    what = choose(
        Found(rung="", tried=SCOPED | {"pid_namespace": NO}), "auto", {"scope": "wall landlock: none"}
    )
    assert (what.rung, what.missing[-1]) == (
        "subreaper",
        "K1 subreaper that runs can't reach: wall landlock: none",
    )
    with pytest.raises(ContainmentMissing, match=r"'scope' can't be had here: K1 .*: wall landlock: none"):
        choose(Found(rung="", tried=SCOPED), "scope", {"scope": "wall landlock: none"})


@pytest.mark.parametrize(
    ("walls", "told"),
    [
        ({"landlock": Tried(), "seccomp": Tried()}, None),
        ({"landlock": NO, "seccomp": Tried()}, "wall landlock: Operation not permitted (EPERM)"),
        ({"landlock": Tried()}, "wall seccomp: left out by containment.without"),
        ({}, "wall landlock: left out by containment.without"),
    ],
)
def test_the_first_wall_that_a_rung_lacks_is_told(walls: dict[str, Tried], told: str | None) -> None:
    assert lacking_wall(Found(rung="scope", walls=walls), SCOPE) == told
    assert [lacking_wall(Found(rung="", walls=walls), rung) for rung in (PIDNS, SUBREAPER, GROUP)] == [
        None
    ] * 3


def test_where_a_wall_is_left_out_the_next_lower_rung_is_found_with_its_walls() -> None:
    def work() -> Any:
        deny_clone3()
        asked = ContainmentSettings(without=("landlock", "uid"))
        what = find_out(Settings(containment=asked))
        return [what.rung, "landlock" in what.walls_held, list(what.missing)]

    rung, has_landlock, missing = in_a_fork(work)
    assert (rung, has_landlock) == ("subreaper", False)
    assert os.geteuid() != 0 or "K2 user of its own: wall uid: left out by containment.without" in missing
    assert "K1 subreaper that runs can't reach: wall landlock: left out by containment.without" in missing
    assert "wall landlock: left out by containment.without" in missing
