"""A facade that hangs. What becomes of processes that are killed by hand is in `tests/tree/test_deaths.py`."""

import os
import signal
from collections.abc import Iterator
from contextlib import closing

import pytest

from runward.actors.journal.reader import Reader

from ..support import census
from ..support.server import Server, agent, running
from ..support.waiting import until

MIB = 1_048_576
FLOOD_BYTES, QUEUED_BYTES = 48 * MIB, 24 * MIB
EVENT_BYTES = 1000
LONG_S = 45.0


@pytest.fixture
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("hung"), {"agents": {"use": agent("using", "use")}}) as server:
        yield server


def test_a_facade_that_hangs_while_a_run_floods_costs_the_supervisor_little_and_misses_nothing(
    house: Server,
) -> None:
    client, supervisor, facade = house.client, house.member("supervisor").pid, house.member("facade 1").pid
    run_id = client.begun("use", "floods_events")
    with client.stream(run_id) as stream, closing(Reader(house.folder / "state")) as journal:
        first = next(iter(stream))
        before, last = census.private_bytes(supervisor), _last_seq(journal, run_id)
        os.kill(facade, signal.SIGSTOP)
        try:
            enough = last + FLOOD_BYTES // EVENT_BYTES
            until(lambda: _last_seq(journal, run_id) > enough, LONG_S, "a flood")
            assert census.private_bytes(supervisor) < before + QUEUED_BYTES
        finally:
            os.kill(facade, signal.SIGCONT)
        client.ask("POST", f"/v1/runs/{run_id}/kill", {})
        seqs = [int(frame.id) for frame in (first, *stream)]
    assert seqs == list(range(1, client.run(run_id)["last_seq"] + 1))


def _last_seq(journal: Reader, run_id: str) -> int:
    found = journal.run(run_id)
    assert found is not None
    last = journal.last(found[0])
    return 0 if last is None else last.seq
