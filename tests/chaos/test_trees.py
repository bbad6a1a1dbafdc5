"""Trees of runs while processes of ours are killed at random moments: each run has its one end, a parent's after its
children's, and a child is one run. CHAOS_SEED repeats a seed."""

import random
from pathlib import Path

import pytest

from ..support.server import running
from . import trees


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_trees_under_fire_end_whole_and_every_parent_after_its_children(tmp_path: Path, seed: int) -> None:
    with running(tmp_path, trees.CONFIG) as server:
        roots = trees.blow(server, random.Random(seed), shots=40)
        server.await_no_runs()
        found = [fault for run_id in roots for fault in trees.faults(server, run_id)]
        assert not found, "\n".join(found[:20])
        assert len(roots) > 5
