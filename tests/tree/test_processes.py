"""What each process of the tree is, holds, knows and hears, while a run is live. On both kill rungs."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..support import census
from ..support.census import Process
from ..support.rungs import skip_unless_held
from ..support.server import LOG, Server, agent, running
from ..support.waiting import AT_LAST_S, until

KEY = "operators-key-that-nobody-below-root-may-see"
CANARY = "canary-that-nobody-below-root-may-see"
GROUP = 4711 if os.geteuid() == 0 else None  # nobody's; who is not root is told apart by the user
HANDED_DOWN = {
    "HOME",
    "PATH",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "VIRTUAL_ENV",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
}
STDIO = {"/dev/null", "pipe", "LOG"}
JOURNAL = {"journal.db", "journal.db-wal", "journal.db-shm"}
# What a process of each role may have open, by kind or by name.
DECLARED = {
    "root": STDIO | {"socket", "eventpoll", "lock"},
    "supervisor": STDIO | {"socket", "eventpoll", "eventfd", "pidfd"} | JOURNAL,
    "facade": STDIO | {"socket", "eventpoll", "eventfd"} | JOURNAL,
    "zygote": STDIO | {"socket", "eventpoll", "pidfd"},
    "warden": STDIO | {"socket", "eventpoll", "eventfd", "pidfd", "stdout", "stderr"},
    "agent": STDIO - {"LOG"} | {"socket"},
}
ROLES = sorted(DECLARED)


@pytest.fixture(scope="module", params=["pidns", "subreaper"])
def rung(request: pytest.FixtureRequest) -> str:
    return skip_unless_held(request.param)


@pytest.fixture(scope="module")
def server(rung: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = {
        "containment": {"kill": rung},
        "runs": {"builtin_agents": [], "default_agent": "look"},
        "agents": {"look": agent("looking", "look", env={"GIVEN": "by the operator"})},
    }
    variables = {"SECRET_CANARY": CANARY, "LC_ALL": "C.UTF-8"}
    with running(tmp_path_factory.mktemp("tree"), config, KEY, variables, GROUP) as server:
        yield server


@pytest.fixture(scope="module")
def run_id(server: Server) -> Iterator[str]:
    """A live run, which tells all about itself when it is stopped."""
    run_id = server.client.begun("look", "wait")
    yield run_id
    server.client.stopped(run_id)


@pytest.fixture(scope="module")
def tree(server: Server, run_id: str) -> dict[str, Process]:
    """Role → the one process that has it."""
    family = [*census.below(os.getpid())]
    return {each.role: each for each in family if each.role in DECLARED}


@pytest.fixture(scope="module")
def told(server: Server, tree: dict[str, Process]) -> dict[str, Any]:
    """What an agent tells of its own process."""
    run_id = server.client.start("look")
    told: dict[str, Any] = server.client.ended(run_id)["output"]
    return told


def _held(server: Server, process: Process) -> dict[int, str]:
    """Descriptor number → kind, or the name of a file of this server."""
    names = {str(server.folder / "state" / name): name for name in (*JOURNAL, "lock")}
    names[str(server.folder / LOG)] = "LOG"
    names |= {str(file): file.suffix[1:] for file in (server.folder / "state" / "logs").iterdir()}
    names["/null"] = "/dev/null"  # of an agent, which has no more to do with the mount that it is on
    held = census.targets(process.pid).items()
    return {number: names.get(target) or census.kind(target) for number, target in held}


# ── what it is ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_process_says_what_it_is(tree: dict[str, Process], run_id: str) -> None:
    assert {role: process.title for role, process in tree.items()} == {
        "root": "runward: root",
        "supervisor": "runward: supervisor",
        "facade": "runward: facade 1",
        "zygote": "runward: zygote look",
        "warden": f"runward: warden {run_id}",
        "agent": f"runward: agent {run_id}",
    }


def test_every_process_is_the_child_of_the_one_that_answers_for_it(tree: dict[str, Process]) -> None:
    parents = {role: process.parent for role, process in tree.items()}
    assert parents == {
        "root": os.getpid(),
        "supervisor": tree["root"].pid,
        "facade": tree["root"].pid,
        "zygote": tree["supervisor"].pid,
        "warden": tree["zygote"].pid,
        "agent": tree["warden"].pid,
    }


def test_the_run_object_names_the_agents_pid_on_the_host(
    server: Server, run_id: str, tree: dict[str, Process]
) -> None:
    process = server.client.run(run_id)["process"]
    assert (process["pid"], process["processes"]) == (tree["agent"].pid, 2)
    assert process["rss_bytes"] > 1_000_000


def test_a_warden_is_the_init_of_its_runs_namespace_where_there_is_one(
    tree: dict[str, Process], rung: str
) -> None:
    inside = census.status(tree["warden"].pid)["NSpid"].split()[1:]
    assert inside == (["1"] if rung == "pidns" else [])


def test_root_and_whoever_forks_have_one_thread(tree: dict[str, Process]) -> None:
    threads = {role: census.status(tree[role].pid)["Threads"] for role in ("root", "zygote")}
    assert threads == {"root": "1", "zygote": "1"}


# ── what it holds ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("role", ROLES)
def test_a_process_holds_no_descriptor_but_those_declared_for_its_role(
    server: Server, tree: dict[str, Process], role: str
) -> None:
    held = _held(server, tree[role])
    assert set(held.values()) - DECLARED[role] == set()
    assert held[0] == "/dev/null"


def test_an_agent_shares_nothing_with_others_but_its_output_its_link_and_a_pipe_for_its_stacks(
    server: Server, tree: dict[str, Process]
) -> None:
    held, targets = _held(server, tree["agent"]), census.targets(tree["agent"].pid)
    assert [held[number] for number in (0, 1, 2)] == ["/dev/null", "pipe", "pipe"]
    more = {number: target for number, target in targets.items() if number > 2}
    assert [held[number] for number in more].count("socket") == 1
    others = [process for role, process in tree.items() if role not in ("agent", "warden")]
    theirs = {target for process in others for target in census.targets(process.pid).values()}
    assert theirs & set(more.values()) == set()
    wardens = set(census.targets(tree["warden"].pid).values())
    assert [census.kind(target) for target in wardens & set(more.values())] == ["pipe", "pipe"]


def test_the_listening_socket_is_roots_and_the_facades_alone(
    server: Server, tree: dict[str, Process]
) -> None:
    port = int(server.url.rpartition(":")[2])
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inode = next(row[9] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "0A")
    holders = {
        role for role, process in tree.items() if f"socket:[{inode}]" in census.targets(process.pid).values()
    }
    assert holders == {"root", "facade"}


# ── what it knows ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("role", ROLES)
def test_no_secret_is_in_the_arguments_or_the_environment_of_a_process(
    tree: dict[str, Process], role: str
) -> None:
    """Root was given them, and started over. Who is not uid 0 can't read environments anyway."""
    for file in ("cmdline", "environ"):
        try:
            text = Path(f"/proc/{tree[role].pid}/{file}").read_bytes()
        except PermissionError:
            continue
        assert KEY.encode() not in text
        assert CANARY.encode() not in text


def test_an_agent_sees_the_environment_that_it_was_given_and_a_short_list_of_what_was_there(
    told: dict[str, Any],
) -> None:
    environ = told["environ"]
    assert environ["GIVEN"] == "by the operator"
    assert environ["LC_ALL"] == "C.UTF-8"
    assert {name for name in environ if not name.startswith("LC_")} <= HANDED_DOWN | {"GIVEN"}
    assert KEY not in str(told)
    assert CANARY not in str(told)


def test_an_agent_has_loaded_nothing_of_the_rooms_that_it_has_no_business_in(told: dict[str, Any]) -> None:
    rooms = {"aiohttp", "sqlite3", "typer", "runward.actors.supervisor", "runward.actors.journal"}
    assert {"runward.actors.agent", "looking"} <= set(told["modules"])
    assert rooms & set(told["modules"]) == set()
    assert [name for name in told["modules"] if name.startswith(("runward.http", "runward.bin"))] == []


@pytest.mark.parametrize("role", ROLES)
def test_no_process_can_be_looked_into_by_another_of_the_same_user(
    tree: dict[str, Process], role: str, rung: str
) -> None:
    """None is dumpable (prctl(2)): its files in /proc are root's, whoever it runs as (proc_pid(5)). Nor is an agent,
    but for one that is no root's and lives where no other of its user can name it.

    Tests that run as root tell it by the group, which is another one here; all others by the user.
    """
    runs_as, owned_by = census.ids(tree[role].pid)
    if role == "agent" and rung == "pidns" and os.geteuid() != 0:
        assert owned_by == runs_as
        return
    assert runs_as != (0, 0)
    assert owned_by == (0, 0)


def test_a_process_that_can_be_looked_into_is_told_apart() -> None:
    """Else the test above would prove nothing."""
    with subprocess.Popen(["sleep", "60"], group=GROUP) as ordinary:
        try:
            until(lambda: len(set(census.ids(ordinary.pid))) == 1, AT_LAST_S, "files owned by their process")
        finally:
            ordinary.kill()


@pytest.mark.parametrize("role", ROLES)
def test_no_process_leaves_a_core_file(tree: dict[str, Process], role: str) -> None:
    lines = Path(f"/proc/{tree[role].pid}/limits").read_text().splitlines()
    assert next(line for line in lines if line.startswith("Max core file size")).split()[4:6] == ["0", "0"]


def test_an_agent_can_gain_no_privilege(tree: dict[str, Process]) -> None:
    assert census.status(tree["agent"].pid)["NoNewPrivs"] == "1"


# ── what it hears ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("role", ROLES)
def test_no_process_blocks_a_signal(tree: dict[str, Process], role: str) -> None:
    assert census.signals(tree[role].pid, "SigBlk") == set()


@pytest.mark.parametrize("role", ["warden", "agent"])
def test_a_process_of_a_run_ignores_only_what_every_python_ignores(
    tree: dict[str, Process], role: str
) -> None:
    assert census.signals(tree[role].pid, "SigIgn") == {signal.SIGPIPE, signal.SIGXFSZ}


def test_a_process_of_a_run_has_no_handler_of_its_forebears(tree: dict[str, Process]) -> None:
    faults = {signal.SIGSEGV, signal.SIGFPE, signal.SIGABRT, signal.SIGBUS, signal.SIGILL}
    assert census.signals(tree["warden"].pid, "SigCgt") == {signal.SIGCHLD}
    assert census.signals(tree["agent"].pid, "SigCgt") == {signal.SIGTERM, signal.SIGURG} | faults
