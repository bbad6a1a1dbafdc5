"""The kill rungs that tests hold their servers to."""

import subprocess
import sys
from functools import cache

import pytest

#: The setting → what proves an end.
PROOF = {"cgroup": "cgroup", "pidns": "pidns", "scope": "echild", "subreaper": "echild"}
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
