"""Root is killed again and again: nothing of it is left alive, and the next server tells the truth about each run."""

import json
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ..support.client import ENDS, BrokenOff, Client, Json
from ..support.rungs import skip_unless_held
from ..support.server import running
from .readers import FATES
from .storms import Storm, config

RUNS = 6


class Witness:
    """A thread that follows one run as long as it can. `events` is what it saw."""

    def __init__(self, client: Client, run_id: str) -> None:
        self.events: list[Json] = []
        self._client = client
        self._run_id = run_id
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _watch(self) -> None:
        try:
            with self._client.stream(self._run_id) as stream:
                self.events.extend(frame.event for frame in stream)
        except (BrokenOff, OSError):
            return  # which is what it waits for


@pytest.mark.parametrize(
    ("rung", "times"),
    [
        pytest.param("pidns", 2, id="short"),
        *(
            pytest.param(rung, 20, id=rung, marks=[pytest.mark.slow, pytest.mark.timeout(900)])
            for rung in ("pidns", "uid", "subreaper")
        ),
    ],
)
def test_what_a_killed_root_leaves_is_nothing_but_the_truth(
    tmp_path: Path, seed: int, rung: str, times: int, record_property: Callable[[str, object], None]
) -> None:
    settings = config(Storm([], 0, 0, 0, skip_unless_held(rung)))
    chance = random.Random(seed)
    seen: dict[str, tuple[str, list[Json]]] = {}  # run → the fate that was asked for, what its witness saw
    for _ in range(times):
        with running(tmp_path, settings) as server:
            _check(server.client, seen)
            witnesses = [_begun(server.client, chance) for _ in range(RUNS)]
            time.sleep(chance.uniform(0, 1.0))  # the moment is the point
            server.kill()
        for run_id, fate, witness in witnesses:
            witness.thread.join()
            seen[run_id] = fate, witness.events
    with running(tmp_path, settings) as server:
        _check(server.client, seen)
    record_property("runs", len(seen))


def _begun(client: Client, chance: random.Random) -> tuple[str, str, Witness]:
    fate = chance.choice([fate for fate in FATES if fate != "stopped"])
    plan = {"lasts_s": chance.uniform(0, 1.0), "pause_s": 0.005, "end": fate}
    run_id = client.start("counts", json.dumps(plan))
    return run_id, fate, Witness(client, run_id)


def _check(client: Client, seen: dict[str, tuple[str, list[Json]]]) -> None:
    """Of each run: what was seen is in the journal, and it ended as it did or as lost; both say the same."""
    for run_id, (fate, events) in seen.items():
        kept, run = client.events(run_id), client.run(run_id)
        assert kept[: len(events)] == events
        assert [event["seq"] for event in kept] == list(range(1, len(kept) + 1))
        assert [event["event"] in ENDS for event in kept].count(True) == 1
        assert (run["status"], run["reason"]) in (FATES[fate], ("failed", "lost")), run
        if events and events[-1]["event"] in ENDS:
            assert kept == events
        seen[run_id] = fate, kept  # and so it stays
