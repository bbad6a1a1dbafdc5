"""The kill rungs that tests hold their servers to."""

import subprocess
import sys
from functools import cache
from typing import Any

import pytest

#: The setting → what proves an end.
PROOF = {"cgroup": "cgroup", "pidns": "pidns", "uid": "echild", "scope": "echild", "subreaper": "echild"}
#: The setting → the rung's name in a run.
LEVEL = {"cgroup": "K4", "pidns": "K3", "uid": "K2", "scope": "K1", "subreaper": "K1-"}


def _quick_on(*quick: str) -> list[Any]:
    return [pytest.param(rung, marks=[] if rung in quick else [pytest.mark.slow]) for rung in PROOF]


#: For `parametrize`: the best rung; what kills like it, or otherwise, is left to the slow tests.
RUNGS = _quick_on("cgroup")
#: The best, and the best without a namespace: for what rests on how a run is killed, and by whom.
BOTH_WAYS = _quick_on("cgroup", "scope")
_PROBE = "import sys; from runward.actors.containment.probe import probe; probe(sys.argv[1])"


def skip_unless_held(rung: str) -> str:
    """The rung; skips, with the kernel's own words, where this machine can't climb it."""
    problem = _problem(rung)
    if problem:
        pytest.skip(problem)
    return rung


@cache
def _problem(rung: str) -> str:
    """Found out in a child, since a probe forks."""
    asked = subprocess.run(
        [sys.executable, "-P", "-c", _PROBE, rung], capture_output=True, text=True, check=False
    )
    return asked.stderr.strip().splitlines()[-1] if asked.returncode else ""
