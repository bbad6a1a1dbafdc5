"""What a server does where something is withheld from it: each case against a real server, root's and a user's.

Withheld by the kernel: for a uid, by a filter of calls such as containers have, by a cgroup that is not ours. On each
machine the best rung that is left holds, a run that hangs is killed, and the server says what it has not.
"""

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ..support.client import Client, Json
from ..support.delegation import delegated
from ..support.rungs import PROOF, skip_unless_held
from ..support.server import Server, refused, running

NOBODY = 65_534
NO_CGROUPS = {"cgroups": errno.EROFS}
NO_LANDLOCK = {"landlock_create_ruleset": errno.ENOSYS}

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else, too")
pytestmark = needs_root


@dataclass(frozen=True)
class Case:
    """A server, what it lacks, and what is then to hold its runs."""

    name: str
    rung: str
    level: str
    user: int | None = None  # who serves; 0: root, where everybody may enter the folders that are needed
    without: Mapping[str, int] = field(default_factory=dict)
    is_delegated: bool = False
    told: str = ""  # a word of what it says that it has not


CONTAINER = {"cgroups": errno.EROFS, "clone3": errno.ENOSYS, "unshare": errno.EPERM}
CASES = [
    Case("root", "cgroup", "K4"),
    Case("root with cgroups that are read-only", "pidns", "K3", None, NO_CGROUPS, told="EROFS"),
    Case("root in a container", "uid", "K2", 0, CONTAINER, told="ENOSYS"),
    Case(
        "root in a container with closed folders",
        "scope",
        "K1",
        None,
        CONTAINER,
        told="K2 user of its own: wall uid: Permission denied (EACCES, /",
    ),
    Case(
        "root in a container without landlock",
        "subreaper",
        "K1-",
        None,
        CONTAINER | NO_LANDLOCK,
        told="K1 subreaper that runs can't reach: signal_scope: Function not implemented (ENOSYS)",
    ),
    Case("a user", "pidns", "K3", NOBODY, told="EACCES"),
    Case("a user whom a cgroup is delegated to", "cgroup", "K4", NOBODY, is_delegated=True),
    Case(
        "a user in a container",
        "scope",
        "K1",
        NOBODY,
        {"clone3": errno.ENOSYS, "unshare": errno.EPERM},
        told="ENOSYS",
    ),
]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.name.replace(" ", "-"))
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    skip_unless_held(found.rung)
    return found


@pytest.fixture(scope="module")
def server(case: Case, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = {"runs": {"interrupt_grace_s": 0.2, "terminate_grace_s": 0.2}}
    with ExitStack() as opened:
        cgroup = opened.enter_context(delegated(NOBODY)) if case.is_delegated else None
        folder = tmp_path_factory.mktemp("withheld")
        folder.chmod(0o755)
        yield opened.enter_context(
            running(folder, config, user=case.user, without=case.without, cgroup=cgroup)
        )


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with server.without_leftovers():
        yield server.client


def _check_held(run: Json, case: Case) -> None:
    held = run["containment"]
    assert held["kill"] == case.level
    assert case.told in " ".join(held["missing"])
    assert (run["exit"]["proof"], run["exit"]["survivors"]) == (PROOF[case.rung], [])


def test_runs_are_held_by_the_best_that_is_left_and_say_what_is_not(case: Case, client: Client) -> None:
    run = client.ended(client.start("echo", "well"))
    assert run["output"] == "well"
    _check_held(run, case)


def test_a_run_that_hears_nothing_is_stopped_all_the_same(case: Case, client: Client) -> None:
    run = client.stopped(client.begun("spin", "on"))
    assert (run["status"], run["reason"], run["exit"]["rung"]) == ("cancelled", "killed", "kill")
    _check_held(run, case)


def test_many_runs_one_after_another_are_held_alike(case: Case, client: Client) -> None:
    for _ in range(5):
        assert client.ended(client.start("echo", "well"))["containment"]["kill"] == case.level
    killed = [client.begun("spin", "on") for _ in range(3)]
    for run_id in killed:
        _check_held(client.kill(run_id, wait=True).json, case)


# ── what is required ────────────────────────────────────────────────────────────────────────────────────────────────

REQUIRED: list[tuple[dict[str, int], str, str]] = [
    ({"clone3": errno.ENOSYS}, "kill>=K3", "Function not implemented (ENOSYS"),
    (CONTAINER, "kill>=K2", "K2 user of its own: wall uid: Permission denied (EACCES, /"),
    (CONTAINER | NO_LANDLOCK, "kill>=K1", "signal_scope: Function not implemented (ENOSYS"),
    (NO_CGROUPS, "kill>=K4", "Read-only file system (EROFS, /sys/fs/cgroup"),
    (NO_CGROUPS, "memory", "Read-only file system (EROFS, /sys/fs/cgroup"),
    (NO_CGROUPS, "pids", "Read-only file system (EROFS, /sys/fs/cgroup"),
    (
        {"unshare": errno.EPERM, **NO_LANDLOCK},
        "files",
        "Operation not permitted (EPERM",
    ),
]


@pytest.mark.parametrize(("without", "required", "told"), REQUIRED, ids=[each[1] for each in REQUIRED])
def test_what_is_required_and_withheld_is_refused_by_name_with_the_kernels_word(
    tmp_path: Path, without: dict[str, int], required: str, told: str
) -> None:
    config: dict[str, Any] = {"auth": {"mode": "none"}, "containment": {"require": [required]}}
    code, said = refused(tmp_path, config, without=without)
    assert code == 78
    assert required in said
    assert told in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"kill": "scope", "without": ["seccomp"]}, "wall seccomp: left out by containment.without"),
        ({"kill": "group"}, "kill>=K1- "),
    ],
    ids=["K1", "K0"],
)
def test_a_rung_that_is_pinned_and_can_not_be_had_or_is_not_consented_to_is_refused(
    tmp_path: Path, config: dict[str, Any], told: str
) -> None:
    code, said = refused(tmp_path, {"auth": {"mode": "none"}, "containment": config})
    assert (code, told in said, "Traceback" in said) == (78, True, False), said


def test_a_process_group_is_killed_where_that_is_consented_to_and_proves_nothing(tmp_path: Path) -> None:
    config = {"containment": {"kill": "group", "require": ["kill>=K0"]}}
    with running(tmp_path, config) as server:
        run = server.client.kill(server.client.begun("spin", "on"), wait=True).json
        assert (run["reason"], run["containment"]["kill"], run["exit"]["proof"]) == ("killed", "K0", "none")
        assert server.client.ended(server.client.start("echo", "well"))["exit"]["proof"] == "none"
