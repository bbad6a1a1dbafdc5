"""What an agent may not do it can't, at the defaults: as root and as an ordinary user, on each kill rung."""

from collections.abc import Iterator
from typing import Any

import pytest

from ..support.client import Client
from ..support.server import Server, agent
from .houses import PLACES, house


@pytest.fixture(scope="module", params=PLACES, ids="-".join)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = {"agents": {"hostile": agent("hostile", "attempt")}}
    with house(request.param, tmp_path_factory, config) as server:
        server.client.ended(server.client.start("hostile"))
        yield server


@pytest.fixture
def client(place: Server) -> Iterator[Client]:
    with place.without_leftovers():
        yield place.client


def attempted(client: Client, deeds: str) -> Any:
    run = client.ended(client.start("hostile", deeds))
    assert run["status"] == "completed", run
    return run["output"]


REFUSED = (
    "unshare clone_namespace setns mount umount pivot_root chroot open_tree move_mount fsopen fsmount mount_setattr "
    "open_by_handle ptrace ptrace_in_a_child read_memory write_memory take_descriptor limit_the_warden "
    "renice_the_warden renice_all_of_the_user pin_the_warden idle_the_warden bpf perf userfaultfd io_uring module "
    "kexec keyring add_key push_into_a_terminal"
)


def test_the_kernel_is_not_asked_for_what_no_agent_needs(client: Client) -> None:
    assert attempted(client, REFUSED) == dict.fromkeys(REFUSED.split(), "EPERM")


def test_what_agents_do_every_day_goes_on_working(client: Client) -> None:
    usual = "fork program shell own_limit own_priority own_affinity socketpair chmod"
    assert attempted(client, usual) == dict.fromkeys(usual.split(), "done")


def test_what_held_a_run_is_told(client: Client) -> None:
    applied = client.ended(client.start("hostile", "fork"))["containment"]["applied"]
    assert (applied["privileges"], applied["system_calls"]) == ("no capabilities", "seccomp")
