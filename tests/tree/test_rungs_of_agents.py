"""The best rung is found for each agent: one whose files its runs' own users may not read is held by another."""

import errno
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..support import census
from ..support.rungs import skip_unless_held
from ..support.server import AGENTS, Server, agent, running
from ..support.waiting import AT_LAST_S, until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root's runs have users of their own")

MARK = 86_423  # how long a daemon sleeps
NO_PID_NAMESPACE = {"clone3": errno.ENOSYS, "cgroups": errno.EROFS}


def served(folder: Path, **containment: Any) -> Iterator[Server]:
    skip_unless_held("uid")
    folder.chmod(0o755)
    closed = folder / "closed"
    shutil.copytree(AGENTS, closed)
    closed.chmod(0o700)
    config = {
        "containment": containment,
        "agents": {
            "open": agent("acting", "act"),
            "closed": {"entrypoint": f"{closed}/acting.py:act", "limits": {"pids": 10}},
            "fill": agent("filling", "fill", limits={"pids": 10}),
        },
    }
    with running(folder, config, without=NO_PID_NAMESPACE) as server:
        yield server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from served(tmp_path_factory.mktemp("any"))


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from served(tmp_path_factory.mktemp("strict"), require=["kill>=K2"])


def test_without_cgroups_a_user_of_its_own_limits_the_processes_of_a_run(server: Server) -> None:
    both = [server.client.start("fill", "processes") for _ in range(2)]
    for run in map(server.client.ended, both):
        assert (run["output"], run["containment"]["applied"]["pids"]) == (10, "rlimit")
    held = server.client.ended(server.client.start("closed"))["containment"]
    assert "pids" not in held["applied"]
    assert [each for each in held["missing"] if each.startswith("pids: nothing holds it")]


@pytest.mark.slow
def test_what_outlived_warden_and_server_is_killed_by_its_user_before_that_is_given_to_another_run(
    tmp_path: Path,
) -> None:
    config = {"containment": {"kill": skip_unless_held("uid")}, "agents": {"act": agent("acting", "act")}}
    with running(tmp_path, config) as first:
        first.client.begun("act", f"fathers {MARK}", metadata={"then": "wait"})
        family = [first.member(title).pid for title in ("zygote act", "supervisor")]
        [warden] = [each.pid for each in census.below(first.pid) if each.role == "warden"]
        for pid in (first.pid, *family):
            os.kill(pid, signal.SIGSTOP)  # nobody is to clean up
        for pid in (warden, first.pid, *family):
            os.kill(pid, signal.SIGKILL)
        first.await_end()
        assert left()
        with running(tmp_path, config) as second:
            until(lambda: not left(), AT_LAST_S, "the end of who was left")
            assert second.client.is_healthy()


def left() -> list[str]:
    """Daemons that live."""
    return [str(each) for each in census.processes() if str(MARK) in each.title and each.state != "Z"]


def test_each_has_the_best_that_it_can_have_and_is_told_why_no_better(server: Server) -> None:
    held = {
        name: server.client.ended(server.client.start(name))["containment"] for name in ("open", "closed")
    }
    assert {name: each["kill"] for name, each in held.items()} == {"open": "K2", "closed": "K1"}
    assert not [each for each in held["open"]["missing"] if each.startswith("K2 ")]
    [why] = [each for each in held["closed"]["missing"] if each.startswith("K2 ")]
    assert why.startswith("K2 user of its own: wall uid: Permission denied (EACCES, /")
    assert "closed" in why


def test_what_is_required_of_all_is_refused_to_who_can_not_have_it(strict: Server) -> None:
    run = strict.client.ended(strict.client.start("closed"))
    assert (run["status"], run["reason"]) == ("failed", "start_failed"), run
    assert "K2 user of its own: wall uid: Permission denied (EACCES" in run["error"]
    assert strict.client.ended(strict.client.start("open"))["containment"]["kill"] == "K2"
