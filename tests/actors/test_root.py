"""Root as an object, in a process of its own: what it does when more than one thing happens at once."""

import os
import signal
import socket
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from runward.actors import front_door, root, wire
from runward.actors.containment.findings import Found
from runward.actors.estate import Member
from runward.actors.journal.lock import StateLock
from runward.actors.kept import Kept
from runward.actors.messages.with_root import OrphansSwept, SweepOrphans
from runward.config.sections import AuthSettings, HttpSettings, Settings, StateSettings

from .forks import in_a_fork, own_children


def _idle() -> int:
    """A child that does nothing."""
    pid = os.fork()
    if pid == 0:
        while True:
            signal.pause()
    return pid


def _a_root(folder: Path) -> root.Root:
    settings = Settings(
        http=HttpSettings(port=0), state=StateSettings(dir=str(folder)), auth=AuthSettings(mode="none")
    )
    estate = root.new_estate(Found(rung="subreaper"), folder)
    return root.Root(settings, None, estate, front_door.listen(settings.http), StateLock(folder))


class Swept(NamedTuple):
    """What came of a sweep: who of them was left, who was started meanwhile, and what root answered."""

    orphan: bool
    kept: bool
    successors_left: list[bool]
    answer: bytes


def _swept(folder: Path, dies: str) -> Swept:
    """A supervisor asks for a sweep, and is killed before it, or amid it; or a facade is amid it, or nobody."""
    with pytest.MonkeyPatch.context() as patch:
        started: list[int] = []
        patch.setattr(Kept, "start", lambda *_: started.append(_idle()))
        its = _a_root(folder)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        theirs.setblocking(False)
        orphan, kept, supervisor, facade = _idle(), _idle(), _idle(), _idle()
        its.cast.supervisor.hold(Member(supervisor, ours.detach()), lambda _: None)
        its.cast.facades[0].hold(Member(facade, socket.socket().detach()), lambda _: None)
        doomed = {"supervisor": supervisor, "facade": facade}.get(dies)
        if doomed is not None:
            os.kill(doomed, signal.SIGKILL)
            os.waitid(os.P_PID, doomed, os.WEXITED | os.WNOWAIT)
        its.hear(its.cast.supervisor, wire.encode(SweepOrphans([kept])))
        left = own_children()
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        try:
            answer = theirs.recv(100)
        except BlockingIOError:
            answer = b""
        return Swept(orphan in left, kept in left, [pid in left for pid in started], answer)


SWEPT = wire.encode(OrphansSwept([])).hex()


def _in_a_fork(folder: Path, dies: str) -> list[Any]:
    def work() -> list[Any]:
        swept = _swept(folder, dies)
        return [*swept[:3], swept.answer.hex()]

    told: list[Any] = in_a_fork(work)
    return told


def test_a_sweep_ends_every_orphan_but_those_that_are_to_be_kept(tmp_path: Path) -> None:
    assert _in_a_fork(tmp_path, "nobody") == [False, True, [], SWEPT]


def test_who_ends_amid_a_sweep_gets_a_successor_that_is_not_swept_away(tmp_path: Path) -> None:
    assert _in_a_fork(tmp_path, "facade") == [False, True, [True], SWEPT]


def test_for_a_supervisor_that_is_dead_nothing_is_swept_for_its_wardens_have_come_here(
    tmp_path: Path,
) -> None:
    assert _in_a_fork(tmp_path, "supervisor")[0] is True
