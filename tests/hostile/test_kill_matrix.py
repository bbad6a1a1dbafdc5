"""Whatever hides from its end, on each rung, as root and as an ordinary user: killed, proved, counted from outside.

One cell of many trials: `pytest --slow tests/hostile/test_kill_matrix.py -k 'many and pidns and bomb'`.
"""

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ..support.rungs import LEVEL, PROOF
from ..support.server import Server, running
from .compiled import PROGRAMS
from .counting import Count, count, described
from .houses import PLACES, skip_unless_had

BOMB_TASKS = 150  # that may live beside the server's own
BOMBS = ("bomb", "everything")
HIDING = ("ignore", "stopped", "vfork", "daemons", "chain", "chains_of_four", *BOMBS)
HOLDING = "gil"
ENDING_BY_THEMSELVES = ("leaves_daemons", "runaway")
WORKLOADS = (*HIDING, HOLDING, *ENDING_BY_THEMSELVES)
#: Processes that live at least, the warden included, once it is in full swing.
LIVING = {
    "vfork": 4,
    "daemons": 7,
    "bomb": 100,
    "everything": 20,
}  # of everything, many are dead and unburied
FEW, FEW_BOMBS, MANY = 5, 2, 500
#: Rung to proof, 99 of 100, in ms: any other workload, bombs. Measured with --slow on a quiet machine.
TARGET_MS = {"K4": (20, 100), "K3": (20, 100), "K2": (100, 1000), "K1": (100, 1000), "K1-": (100, 1000)}


class Trial(NamedTuple):
    """What one trial took: by the receipt, and from the request to the answer."""

    level: str
    receipt_ms: float
    seen_ms: float


class Matrix:
    """One server whose processes are counted, on one rung."""

    def __init__(self, server: Server, counted: Count, rung: str) -> None:
        self._server = server
        self._counted = counted
        self._held = (LEVEL[rung], PROOF[rung])
        for name in ("hiding", "holding"):  # what is made at the first run is there
            self._server.client.ended(self._server.client.start(name, "nothing"))
        server.await_no_runs()
        self._own = counted.alive()
        self._supervisor = server.member("supervisor").pid
        counted.bind(BOMB_TASKS)

    def trial(self, workload: str) -> Trial | None:
        """Let it live, end it, look. None where it ended by itself."""
        if workload in ENDING_BY_THEMSELVES:
            self._let_end(workload)
            return None
        run_id = self._server.client.begun("holding" if workload == HOLDING else "hiding", workload)
        try:
            living = self._counted.alive() - self._own
            assert len(living) >= LIVING.get(workload, 2), described(living)
            return self._kill(run_id)
        except BaseException:
            self._server.client.kill(run_id)  # or it would be in the way of all others
            raise

    def _kill(self, run_id: str) -> Trial:
        began = time.monotonic()
        answer = self._server.client.kill(run_id, wait=True)
        seen_ms = (time.monotonic() - began) * 1000
        survivors = self._survivors()
        run = answer.json
        assert survivors == [], run
        assert (run["status"], run["reason"]) == ("cancelled", "killed"), run
        receipt = run["exit"]
        self._check(run)
        assert (receipt["rung"], receipt["signal"]) == ("kill", "SIGKILL"), receipt
        return Trial(run["containment"]["kill"], receipt["took_ms"], seen_ms)

    def _let_end(self, workload: str) -> None:
        """The agent ends, and is survived; the terminal event must come after the end of all that."""
        client = self._server.client
        run = client.ended(client.start("hiding", workload))
        survivors = self._survivors()
        assert survivors == [], run
        assert (run["status"], run["output"]) == ("completed", "ready"), run
        self._check(run)

    def _check(self, run: dict[str, Any]) -> None:
        held = run["containment"]["kill"], run["exit"]["proof"]
        assert (held, run["exit"]["survivors"]) == (self._held, []), run

    def _survivors(self) -> list[str]:
        """All that lives and was not there before the first trial, but for who takes work folders away: a janitor is
        its supervisor's child, which nothing of a run ever becomes."""
        told = described(self._counted.alive() - self._own)
        return [each for each in told if not each.endswith(f"child of {self._supervisor})")]

    def check_own(self) -> None:
        """None of the server's own processes was hurt."""
        assert self._own <= self._counted.alive(), self._server.log


@pytest.fixture(scope="module", params=PLACES)
def matrix(
    request: pytest.FixtureRequest, compiled: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Matrix]:
    _, rung = request.param
    user = skip_unless_had(request.param)
    folder = tmp_path_factory.mktemp("matrix")
    shutil.copytree(compiled, folder / "programs")
    (folder / "programs").chmod(
        0o755
    )  # everybody's to read, as its folder is: agents may have their own users
    config = {
        "runs": {"default_agent": "hiding", "builtin_agents": []},
        "containment": {"kill": rung},
        "limits": {"pids": 0},  # what is many is for the fence of the count to say
        "agents": {
            "hiding": {
                "command": [str(folder / "programs" / "hiding")],
                "paths": {"readable": [str(folder / "programs")]},
            },
            "holding": {"entrypoint": f"{PROGRAMS / 'holding.py'}:hold"},
        },
    }
    with count() as counted, ExitStack() as stack:
        if user is not None:
            counted.delegate(user)
        with counted.entered():
            server = stack.enter_context(running(folder, config, user=user))
        yield Matrix(server, counted, rung)


@pytest.mark.parametrize("workload", WORKLOADS)
def test_nothing_survives(matrix: Matrix, workload: str) -> None:
    for _ in range(FEW_BOMBS if workload in BOMBS else FEW):
        matrix.trial(workload)
    matrix.check_own()


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("workload", WORKLOADS)
def test_nothing_survives_many_times_and_the_kill_is_quick(
    matrix: Matrix,
    workload: str,
    record_property: Callable[[str, object], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The figures are printed, and kept in the report of the tests."""
    trials = [matrix.trial(workload) for _ in range(MANY)]
    matrix.check_own()
    killed = [trial for trial in trials if trial is not None]
    told = f"0 survivors in {MANY}"
    if killed:
        receipts = sorted(trial.receipt_ms for trial in killed)
        seen = sorted(trial.seen_ms for trial in killed)
        told += f"; rung to proof {_shown(receipts)} ms, seen {_shown(seen)} ms"
    record_property(workload, told)
    with capsys.disabled():
        sys.stdout.write(f"\n{told}")
    if killed:
        target = TARGET_MS[killed[0].level][workload in BOMBS]
        assert _of_100(receipts, 99) <= target


def _shown(figures: list[float]) -> str:
    return f"p50 {_of_100(figures, 50):.1f}, p99 {_of_100(figures, 99):.1f}"


def _of_100(figures: list[float], percent: int) -> float:
    """The percentile of sorted figures."""
    return figures[min(len(figures) - 1, len(figures) * percent // 100)]
