"""Nothing survives `end_all`, whatever it is, on either rung. The truth is a pipe that all of the run hold."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from runward.actors.containment import rungs
from runward.actors.containment.rungs import CGROUP, OWN_USER, PIDNS, RUNGS, SUBREAPER
from tests.support.delegation import delegated
from tests.support.rungs import skip_unless_held

from ..forks import in_a_fork
from . import bad, wardens
from .bad import Program
from .nobody import NOBODY, become_nobody, needs_root
from .wardens import Ended, hold_and_end

pytestmark = pytest.mark.usefixtures("nothing_left")

PROGRAMS = [
    *(bad.pauses, bad.ignores, bad.blocks, bad.spins, bad.stops, bad.threads, bad.executes, bad.daemons),
    *(bad.orphans, bad.deep, bad.chain, bad.chains, bad.bomb, bad.mix),
]
#: The others kill like one of these, or, like the last, promise nothing.
CERTAIN = {rung.name: rung for rung in (CGROUP, PIDNS, OWN_USER, SUBREAPER)}
HARDEST = [bad.ignores, bad.orphans, bad.chains, bad.bomb]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
@pytest.mark.parametrize("rung", CERTAIN)
def test_nothing_is_left_of_a_program_that(rung: str, program: Program) -> None:
    skip_unless_held(rung)
    user_namespace = RUNGS[rung].has_pid_namespace and os.geteuid() != 0
    ended = hold_and_end(RUNGS[rung], user_namespace, program)
    assert not ended.alive
    assert ended.survivors == []
    assert ended.reaped >= 1


def ended_by_nobody(rung: str, program: Program) -> Ended:
    """What comes of it where an ordinary user is the warden."""

    def hold(cgroup: Path | None = None) -> dict[str, Any]:
        if cgroup is not None:
            (cgroup / "cgroup.procs").write_text(str(os.getpid()))
        become_nobody()
        return hold_and_end(RUNGS[rung], RUNGS[rung].has_pid_namespace, program)._asdict()

    if rung != CGROUP.name:
        return Ended(**in_a_fork(hold))
    with delegated(NOBODY) as cgroup:
        return Ended(**in_a_fork(lambda: hold(cgroup)))


@needs_root
@pytest.mark.parametrize(
    "program", [bad.ignores, bad.orphans, bad.chains, bad.bomb], ids=lambda program: program.__name__
)
@pytest.mark.parametrize("rung", sorted(CERTAIN.keys() - {OWN_USER.name}))
def test_an_ordinary_user_leaves_nothing_either_of_a_program_that(rung: str, program: Program) -> None:
    ended = ended_by_nobody(rung, program)
    assert not ended.alive
    assert ended.survivors == []


def test_in_a_pid_namespace_a_run_can_not_kill_its_warden() -> None:
    skip_unless_held(PIDNS.name)
    ended = hold_and_end(PIDNS, os.geteuid() != 0, bad.kills_all)
    assert ended.warden_pid == 1
    assert not ended.alive
    assert ended.survivors == []
    assert ended.reaped >= 4


@needs_root
def test_in_a_user_namespace_of_its_own_neither() -> None:
    ended = ended_by_nobody(PIDNS.name, bad.kills_all)
    assert ended.warden_pid == 1
    assert not ended.alive


@pytest.mark.parametrize("rung", CERTAIN.values(), ids=lambda rung: rung.name)
def test_where_nothing_is_left_already_it_is_over_at_once(rung: Any) -> None:
    skip_unless_held(rung.name)
    ended = hold_and_end(rung, rung.has_pid_namespace and os.geteuid() != 0, lambda ready: ready())
    assert ended.survivors == []
    assert ended.reaped == 1
    assert ended.took_ms < 1_000


def test_the_pipe_tells_where_something_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else all that is said above would be worth nothing."""
    monkeypatch.setattr(rungs, "settle", lambda *_, **__: lambda: None)
    monkeypatch.setattr(wardens, "PATIENCE_S", 0.1)
    ended = hold_and_end(SUBREAPER, False, bad.pauses)
    [survivor] = ended.survivors
    os.kill(survivor, signal.SIGKILL)
    assert ended.alive
