"""What an agent may not do it can't, at the defaults: as root and as an ordinary user, on each kill rung.

An ordinary user's run on the weakest rung has no namespaces; what then holds less is told apart, place by place.
"""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ..support.client import Client
from ..support.server import AGENTS, Server, agent
from ..support.waiting import AT_LAST_S, until
from .compiled import PROGRAMS
from .houses import ORDINARY_UID, PLACES, column, house, places_where
from .table import missing

SIZE_BYTES = 16 << 20


class Place(NamedTuple):
    """A server, and whether runs there have namespaces (and with them a root of their own)."""

    server: Server
    column: str
    namespaces: bool
    pid_namespace: bool
    own_users: bool


def has_namespaces(who: str, rung: str) -> bool:
    """On the weakest rungs only root's runs have them."""
    return rung in ("cgroup", "pidns") or (who == "as_is" and os.geteuid() == 0)


@pytest.fixture(scope="module", params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    who, rung = request.param
    config = {
        "agents": {
            "hostile": agent("hostile", "attempt", limits={"work_folder_bytes": SIZE_BYTES}),
            "host": agent("hostile", "attempt", network="host"),
            "patching": {"entrypoint": f"{PROGRAMS / 'patching.py'}:agent"},
        }
    }
    with house(request.param, tmp_path_factory, config) as server:
        server.client.ended(server.client.start("hostile"))
        by_root, alone = who == "as_is" and os.geteuid() == 0, rung in ("cgroup", "pidns")
        yield Place(server, column(request.param), has_namespaces(who, rung), alone, by_root)


@pytest.fixture
def client(place: Place) -> Iterator[Client]:
    with place.server.without_leftovers():
        yield place.server.client


def attempted(client: Client, deeds: str, by: str = "hostile") -> Any:
    run = client.ended(client.start(by, deeds))
    assert run["status"] == "completed", run
    return run["output"]


def all_are(client: Client, deeds: str, *outcomes: str) -> None:
    """Each of the deeds came to one of these ends."""
    come_to = attempted(client, deeds)
    assert set(come_to.values()) <= set(outcomes), come_to


with_namespaces = pytest.mark.parametrize("place", places_where(has_namespaces), indirect=True)


# ── the kernel ──────────────────────────────────────────────────────────────────────────────────


REFUSED = (
    "unshare clone_namespace setns mount umount pivot_root chroot open_tree move_mount fsopen fsmount mount_setattr "
    "open_by_handle ptrace ptrace_in_a_child read_memory write_memory take_descriptor limit_the_warden "
    "renice_the_warden renice_all_of_the_user pin_the_warden idle_the_warden bpf perf userfaultfd io_uring module "
    "kexec keyring add_key push_into_a_terminal"
)


@pytest.mark.slow
def test_the_kernel_is_not_asked_for_what_no_agent_needs(client: Client) -> None:
    all_are(client, REFUSED, "EPERM")


def test_what_agents_do_every_day_goes_on_working(client: Client) -> None:
    all_are(client, "fork program shell own_limit own_priority own_affinity socketpair chmod numpy", "done")


@with_namespaces
def test_shared_memory_pools_of_processes_and_terminals_work_where_a_run_has_its_own(client: Client) -> None:
    all_are(client, "pool terminal loopback unix", "done")


# ── files ───────────────────────────────────────────────────────────────────────────────────────


def test_the_state_folder_the_sockets_and_the_configuration_are_closed(client: Client, place: Place) -> None:
    folder = place.server.folder
    paths = [f"{folder}/state/{name}" for name in ("journal.db", "journal.db-wal", "lock")]
    paths += [str(path) for folder in place.server.sockets.iterdir() for path in folder.iterdir()]
    assert all(Path(path).exists() for path in paths)
    deeds = [f"{deed}:{path}" for path in paths for deed in ("read", "write", "remove")]
    all_are(client, " ".join(deeds), *({"ENOENT", "EROFS"} if place.namespaces else {"EACCES"}))
    all_are(client, f"read:{folder}/runward.toml", "done" if place.namespaces else "EACCES")
    assert attempted(client, f"size:{folder}/runward.toml").popitem()[1] in ("0", "EACCES")
    empty = f"list:{folder}/state/logs list:{place.server.sockets}"
    all_are(client, empty, "ENOENT" if place.namespaces else "EACCES")


@with_namespaces
def test_they_are_out_of_sight_where_a_run_has_a_root_of_its_own(client: Client, place: Place) -> None:
    deeds = [
        f"stat:{place.server.folder}/state/journal.db",
        "list:/sys/fs/cgroup",
        f"stat:{place.server.sockets}",
    ]
    all_are(client, " ".join(deeds), "ENOENT")


def test_the_interpreter_the_agents_own_code_and_the_system_can_not_be_changed(
    client: Client, place: Place
) -> None:
    files = (
        os.__file__,
        pytest.__file__,
        str(AGENTS / "hostile.py"),
        os.path.realpath(sys.executable),
        "/usr/bin/env",
    )
    refusals = ("EROFS",) if place.namespaces else ("EACCES", "EPERM")
    deeds = [f"{deed}:{file}" for file in files for deed in ("chmod", "touch", "remove")]
    all_are(client, " ".join(f"write:{file}" for file in files), *refusals, "EACCES", "ETXTBSY")
    all_are(client, " ".join(deeds), *refusals)


def test_homes_and_the_rest_of_the_host_are_closed(client: Client, place: Place) -> None:
    deeds = "list:/home list:/root/.ssh read:/root/.bashrc list:/var/log list:/boot list:/srv list:/var/tmp/x"
    all_are(client, deeds, *({"ENOENT"} if place.namespaces else {"EACCES", "ENOENT"}))


def test_what_only_root_may_read_in_etc_root_does_not_either(client: Client) -> None:
    secrets = "read:/etc/shadow read:/etc/gshadow read:/etc/shadow- read:/etc/sudoers"
    all_are(client, secrets, "EACCES", "ENOENT")
    all_are(client, "read:/etc/passwd read:/etc/hosts list:/etc/ssl/certs", "done")


def test_a_run_writes_to_its_own_folders_and_nobody_else_sees_that(client: Client, place: Place) -> None:
    own = ["own"]
    if place.namespaces:
        own += [f"/tmp/rw-own-{os.getpid()}", f"/dev/shm/rw-own-{os.getpid()}"]
    all_are(client, " ".join(f"write:{path}" for path in own), "done")
    all_are(client, " ".join(f"read:{path}" for path in own), "ENOENT")  # of another run
    assert not [path for path in own[1:] if Path(path).exists()]


@with_namespaces
def test_a_disk_filler_finds_its_own_folder_full(client: Client) -> None:
    all_are(client, "fill:. fill:/tmp fill:/dev/shm fill_with_files:.", "ENOSPC")


def test_a_run_begins_in_its_work_folder_which_is_its_home(client: Client, place: Place) -> None:
    where = attempted(client, "where")["where"].split()
    if place.namespaces:
        assert where == ["/tmp/runward", "/tmp/runward", "/tmp"]
    else:
        folder, home, temporary = (Path(path) for path in where)
        assert folder == home
        assert folder.name == "work"
        assert folder.is_relative_to(place.server.folder / "state" / "work")
        assert temporary == folder.parent / "tmp"
        until(lambda: not folder.parent.exists(), AT_LAST_S, "the end of its folder")


# ── others ──────────────────────────────────────────────────────────────────────────────────────


def test_the_processes_of_the_host_are_not_seen(client: Client, place: Place) -> None:
    if place.pid_namespace:
        all_are(client, "only_own_processes", "done")
        all_are(client, f"read:/proc/{place.server.pid}/status", "ENOENT")
    root = f"/proc/{place.server.pid}"
    all_are(
        client,
        f"read:{root}/environ read:{root}/mem follow:{root}/fd/0 follow:{root}/cwd",
        "ENOENT",
        "EACCES",
    )


def test_the_server_gets_no_signal(client: Client, place: Place) -> None:
    members = [place.server.pid, *(each.pid for each in place.server.members("supervisor"))]
    deeds = " ".join(f"signal:{pid}" for pid in members)
    all_are(client, deeds, "ESRCH" if place.pid_namespace else "EPERM")


def test_nothing_of_its_warden_can_be_read(client: Client) -> None:
    deeds = "environ mem maps fd/0 fd/3 root cwd exe"
    all_are(client, " ".join(f"of_the_warden:{name}" for name in deeds.split()), "EACCES", "EPERM", "ENOENT")


def test_a_run_that_root_serves_has_a_user_of_its_own_where_that_can_read_what_it_needs(
    client: Client, place: Place
) -> None:
    uid, gid, groups, name = attempted(client, "who")["who"].split()
    if place.own_users:
        assert int(uid) == int(gid) >= 1_879_048_192
        assert (groups, name) == ("0", "runward")
    else:
        assert int(uid) == (ORDINARY_UID if os.geteuid() == 0 else os.geteuid())


# ── network ─────────────────────────────────────────────────────────────────────────────────────


def test_an_undeclared_network_is_not_there(client: Client, place: Place) -> None:
    port = place.server.url.rpartition(":")[2]
    all_are(
        client,
        f"connect:127.0.0.1:{port} connect:169.254.169.254:80 connect:192.0.2.1:80",
        *({"ECONNREFUSED", "ENETUNREACH"} if place.namespaces else {"EACCES"}),
    )


def test_a_declared_network_is_the_hosts(client: Client, place: Place) -> None:
    port = place.server.url.rpartition(":")[2]
    deed = f"connect:127.0.0.1:{port}"
    assert attempted(client, deed, by="host") == {deed: "done"}


# ── what is told ────────────────────────────────────────────────────────────────────────────────


def test_what_held_a_run_is_told(client: Client, place: Place) -> None:
    ran = client.ended(client.start("hostile", "fork"))
    held = ran["containment"]
    assert held is not None, ran
    privileges = "own uid, no capabilities" if place.own_users else "no capabilities"
    expected = {"privileges": privileges, "system_calls": "seccomp"}
    if place.namespaces:
        names = ("ipc", "hostname", "network")
        expected |= {
            "files": "own root, landlock",
            "work_folder": "tmpfs",
            **dict.fromkeys(names, "namespace"),
        }
    else:
        expected |= {"network": "seccomp", "files": "landlock"}
        assert any(each.startswith("wall mounts: ") for each in held["missing"])
    assert held["applied"].items() >= expected.items()
    assert client.ended(client.start("host", "fork"))["containment"]["applied"].get("network") is None


@pytest.mark.skipif(
    not Path("/sys/fs/cgroup/cpu").is_dir(), reason="the table is of a machine with hybrid cgroups"
)
def test_what_a_run_lacks_is_what_the_table_says(client: Client, place: Place) -> None:
    said = client.ended(client.start("hostile", "fork"))["containment"]["missing"]
    # Where in the cgroups it was tried is of this machine, and this moment.
    assert sorted(re.sub(r", /[^)]*", "", each) for each in said) == sorted(missing()[place.column])


# ── an agent that patches the runtime at its import


def test_the_next_run_of_an_agent_that_patches_finds_nothing_of_it(client: Client) -> None:
    for _ in range(2):
        run = client.ended(client.start("patching"))
        assert run["exit"]["survivors"] == [], run
        assert "found=False" in client.ask("GET", f"/v1/runs/{run['run_id']}/logs").body.decode()


def test_one_that_patches_ends_exactly_once_and_others_are_served(client: Client) -> None:
    events = client.events(client.start("patching"))
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert sum(event["event"] in ("run.completed", "run.failed", "run.cancelled") for event in events) == 1
    assert client.ended(client.start("echo", "after it"))["output"] == "after it"
