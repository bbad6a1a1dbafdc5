"""An agent that patches the runtime at its import has patched its own process, and nobody else's."""

from collections.abc import Iterator

import pytest

from ..support.server import Server
from .compiled import PROGRAMS
from .houses import PLACES, house

ENTRYPOINT = f"{PROGRAMS / 'patching.py'}:agent"


@pytest.fixture(scope="module", params=PLACES)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = {"agents": {"patching": {"entrypoint": ENTRYPOINT}}}
    with house(request.param, tmp_path_factory, config) as server:
        yield server


def test_the_next_run_of_the_same_agent_finds_nothing_of_it(server: Server) -> None:
    for _ in range(2):
        run = server.client.ended(server.client.start("patching"))
        assert run["exit"]["survivors"] == [], run
        assert "found=False" in server.client.ask("GET", f"/v1/runs/{run['run_id']}/logs").body.decode()


def test_it_ends_exactly_once_and_others_are_served(server: Server) -> None:
    events = server.client.events(server.client.start("patching"))
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert sum(event["event"] in ("run.completed", "run.failed", "run.cancelled") for event in events) == 1
    assert server.client.ended(server.client.start("echo", "after it"))["output"] == "after it"
