"""The kill rungs that tests hold their servers to."""

import subprocess
import sys
from functools import cache

import pytest

#: The setting → what proves an end.
PROOF = {"cgroup": "cgroup", "pidns": "pidns", "uid": "echild", "scope": "echild", "subreaper": "echild"}
#: The setting → the rung's name in a run.
LEVEL = {"cgroup": "K4", "pidns": "K3", "uid": "K2", "scope": "K1", "subreaper": "K1-"}
#: For `parametrize`. What kills like another one, or like it and some more, is left to the slow tests.
RUNGS = [
    pytest.param(rung, marks=[pytest.mark.slow] if rung in ("pidns", "uid", "subreaper") else [])
    for rung in PROOF
]
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
