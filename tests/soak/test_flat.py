"""Many runs in a row leave nothing in the processes that outlive them: no memory, no descriptor, no process."""

import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import pytest

from ..support import census
from ..support.client import Client
from ..support.server import Server, agent, running

AT_ONCE = 8
CRASH_EVERY = 20
MIB = 1_048_576


class Step(NamedTuple):
    """How much heavier a process may be after `runs` runs than it was at the step before."""

    runs: int
    share: float = 0.0
    slack_bytes: int = 0


# Caches fill up within the first 1,500 runs; only then can a small leak be told from that. Python's allocator takes
# memory by the MiB, and may need one more: so what counts is the growth over many runs.
SHORT = [Step(40), Step(160, 0.05, MIB)]
LONG = [Step(200), Step(1000, 0.05, 2 * MIB), Step(1500, 0.02, MIB // 4), Step(5000, 0.01, MIB)]


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(SHORT, id="short"),
        pytest.param(LONG, id="long", marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
    ],
)
def test_root_supervisor_and_facade_weigh_no_more_after_many_runs_than_after_some(
    tmp_path: Path,
    steps: list[Step],
    record_property: Callable[[str, object], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One run in twenty crashes. The figures are printed, and kept in the report of the tests."""
    config = {
        "runs": {"default_agent": "act", "builtin_agents": ["crash"]},
        "agents": {"act": agent("acting", "act")},
    }
    with running(tmp_path, config) as server:
        weights = list(_weights(server, [step.runs for step in steps]))
    for title in weights[0]:
        figures = [
            f"{weight[title]:,} after {step.runs}" for step, weight in zip(steps, weights, strict=True)
        ]
        record_property(title, figures)
        with capsys.disabled():
            sys.stdout.write(f"\n{title}: private bytes: {', '.join(figures)}")
    for step, before, after in zip(steps[1:], weights, weights[1:], strict=False):
        for title, weight in before.items():
            most = weight * (1 + step.share) + step.slack_bytes
            assert after[title] <= most, f"{title} grew on the way to {step.runs} runs"


def _weights(server: Server, milestones: list[int]) -> Iterator[dict[str, int]]:
    """After so many runs, the private bytes of each process that outlives them. None may gain a descriptor."""
    done = 0
    for runs in milestones:
        with server.without_leftovers() if done else nullcontext():
            _run_many(server.client, runs - done)
        server.await_no_runs()
        done = runs
        members = [each for each in census.below(server.pid) if each.role in ("supervisor", "facade")]
        pids = {each.title: each.pid for each in members} | {"runward: root": server.pid}
        yield {title: census.private_bytes(pid) for title, pid in pids.items()}


def _run_many(client: Client, count: int) -> None:
    """So many runs, some at a time; each ends as it should."""
    for start in range(0, count, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, count))
        started = [(number, _start(client, number)) for number in numbers]
        for number, run_id in started:
            end = client.events(run_id)[-1]["event"]
            assert end == ("run.failed" if _crashes(number) else "run.completed")


def _start(client: Client, number: int) -> str:
    return client.start("crash") if _crashes(number) else client.start("act", f"answers {number}")


def _crashes(number: int) -> bool:
    return number % CRASH_EVERY == 0
