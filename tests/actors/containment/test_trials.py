"""Each mechanism is tried for real. What is withheld here the kernel withholds: for a uid, by a filter of calls."""

import errno
import os
import stat
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from runward.actors.containment.cgroup_trials import try_cgroups
from runward.actors.containment.findings import Found, Place, Tried
from runward.actors.containment.probe import probe
from runward.actors.containment.throwaway import tried, why
from runward.actors.containment.trials import try_kernel
from tests.support.denying import ARGUMENT_0, PRCTL_SECCOMP, deny

from ..forks import in_a_fork, own_children
from .nobody import become_nobody, needs_root

pytestmark = pytest.mark.usefixtures("nothing_left")

NAMESPACES = ("pid", "mount", "network", "ipc", "uts")


def kernel_errnos() -> dict[str, int]:
    return {name: outcome.errno for name, outcome in try_kernel().items()}


def cgroup_errnos() -> dict[str, int]:
    return {name: outcome.errno for name, outcome in try_cgroups()[0].items()}


def as_nobody(work: Callable[[], Any]) -> Any:
    def change() -> Any:
        become_nobody()
        return work()

    return in_a_fork(change)


# ── a trial ─────────────────────────────────────────────────────────────────────────────────────


def test_what_works_says_so_and_how_long_it_took() -> None:
    outcome = tried(lambda: "so it is")
    assert (outcome.works, outcome.errno, outcome.detail) == (True, 0, "so it is")
    assert 0 < outcome.took_ms < 5_000


def refuse() -> None:
    raise OSError(errno.EROFS, os.strerror(errno.EROFS), "/sys/fs/cgroup")


def test_what_is_refused_keeps_the_kernels_word_and_where_it_was_said() -> None:
    outcome = tried(refuse)
    assert (outcome.works, outcome.errno, outcome.detail) == (False, errno.EROFS, "/sys/fs/cgroup")
    assert why(outcome) == "Read-only file system (EROFS, /sys/fs/cgroup)"


def test_a_trial_that_breaks_or_dies_has_failed() -> None:
    assert why(tried(lambda: str(1 // 0))).startswith("it failed (ZeroDivisionError")
    assert why(tried(lambda: os._exit(3))) == "it failed (the trial ended with 3)"
    assert why(tried(lambda: os.kill(os.getpid(), 9))) == "it failed (the trial ended with -9)"


def test_trials_leave_no_process_and_no_descriptor() -> None:
    before, children = os.listdir("/proc/self/fd"), own_children()
    tried(lambda: None)
    tried(refuse)
    try_kernel()
    try_cgroups()
    assert os.listdir("/proc/self/fd") == before
    assert own_children() == children


def test_findings_pass_from_process_to_process() -> None:
    found = Found(rung="pidns", tried={"a": Tried(1, 2.5, "b")}, places=(Place(1, "/c", ("pids",)),))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(found), type=Found) == found
    assert not found.works("a")
    assert not found.works("never tried")


# ── here ────────────────────────────────────────────────────────────────────────────────────────


@needs_root
def test_an_ordinary_user_has_namespaces_within_a_user_namespace() -> None:
    root = {name: each.detail for name, each in try_kernel().items()}
    if root["user_namespace"]:
        pytest.skip("this machine has no user namespaces")
    details = as_nobody(lambda: {name: each.detail for name, each in try_kernel().items()})
    for name in NAMESPACES:
        assert root[f"{name}_namespace"] == ""
        assert details[f"{name}_namespace"] == "in a user namespace"


@needs_root
def test_an_ordinary_user_can_not_become_another_one_nor_make_cgroups_that_are_not_his() -> None:
    assert as_nobody(kernel_errnos)["uid_kill"] == errno.EPERM
    places = as_nobody(lambda: [msgspec.to_builtins(place) for place in try_cgroups()[1]])
    refused = as_nobody(cgroup_errnos)
    assert places == []
    assert set(refused.values()) <= {errno.EACCES, errno.ENODEV, errno.ENOENT, errno.EROFS}


def test_every_place_holds_what_it_says() -> None:
    """The trials proved it in a leaf; no leaf is left."""
    outcomes, places = try_cgroups()
    held = {controller for place in places for controller in place.controllers}
    assert held == {name.partition("_")[0] for name, each in outcomes.items() if each.works} - {"cgroup"}
    for place in places:
        assert stat.S_ISDIR(os.stat(place.folder).st_mode)
        assert not [name for name in os.listdir(place.folder) if f"trial-{os.getpid()}" in name]


def test_a_probe_tells_of_every_mechanism() -> None:
    found = probe()
    assert set(found.tried) == {
        *{f"{name}_namespace" for name in (*NAMESPACES, "user")},
        *{"subreaper", "children_of_a_process", "landlock", "signal_scope", "seccomp", "uid_kill"},
        *{"cgroup_kill", "memory_cgroup", "pids_cgroup", "cpu_cgroup"},
    }
    assert found.works("subreaper")


# ── withheld ────────────────────────────────────────────────────────────────────────────────────


def denied(name: str, number: int, *more: Any) -> dict[str, int]:
    def work() -> dict[str, int]:
        deny({name: number}, *more)
        return kernel_errnos()

    errnos: dict[str, int] = in_a_fork(work)
    return errnos


def test_without_clone3_there_is_no_namespace_and_the_rest_is_as_it_was() -> None:
    """As in a container: its profile can't look at the flags of clone3, and denies it altogether."""
    before = in_a_fork(kernel_errnos)
    expected = {
        name: errno.ENOSYS if name.endswith("namespace") else number for name, number in before.items()
    }
    assert denied("clone3", errno.ENOSYS) == expected


def test_without_landlock_its_scope_is_missing_too() -> None:
    errnos = denied("landlock_create_ruleset", errno.EOPNOTSUPP)
    assert (errnos["landlock"], errnos["signal_scope"]) == (errno.EOPNOTSUPP, errno.EOPNOTSUPP)


def test_without_seccomp_that_alone_is_missing() -> None:
    before = in_a_fork(kernel_errnos)
    assert denied("prctl", errno.EINVAL, ARGUMENT_0, PRCTL_SECCOMP) == before | {"seccomp": errno.EINVAL}


def test_without_a_subreaper_the_pid_namespace_is_still_there() -> None:
    before = in_a_fork(kernel_errnos)
    assert denied("prctl", errno.EINVAL, ARGUMENT_0, 36) == before | {"subreaper": errno.EINVAL}


@needs_root
def test_where_no_folder_can_be_made_no_cgroup_can() -> None:
    """As under a file system that is mounted read-only."""

    def work() -> list[Any]:
        deny({"mkdir": errno.EROFS, "mkdirat": errno.EROFS})
        outcomes, places = try_cgroups()
        return [[outcomes[name].errno for name in ("cgroup_kill", "pids_cgroup")], len(places)]

    errnos, places = in_a_fork(work)
    assert set(errnos) <= {errno.EROFS, errno.ENODEV}
    assert places == 0
