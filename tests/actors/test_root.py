"""Root as an object, in a process of its own: what it does when more than one thing happens at once."""

import os
import signal
import socket
from pathlib import Path
from typing import NamedTuple

import pytest

from runward.actors import front_door, root, wire
from runward.actors.containment.findings import Found
from runward.actors.estate import Member
from runward.actors.journal.lock import StateLock
from runward.actors.kept import Kept
from runward.actors.messages.with_root import MESSAGE_BYTES, OrphansSwept, SweepOrphans
from runward.config.sections import AuthSettings, HttpSettings, Settings, StateSettings

from .forks import in_a_fork, own_children


def _idle(session: bool = False) -> int:
    """A child that does nothing, in a session of its own or not."""
    reads, writes = os.pipe()
    pid = os.fork()
    if pid == 0:
        if session:
            os.setsid()
        os.close(writes)
        while True:
            signal.pause()
    os.close(writes)
    os.read(reads, 1)
    os.close(reads)
    return pid


def _a_root(folder: Path) -> root.Root:
    settings = Settings(
        http=HttpSettings(port=0), state=StateSettings(dir=str(folder)), auth=AuthSettings(mode="none")
    )
    estate = root.new_estate(Found(rung="subreaper"), folder)
    return root.Root(settings, None, estate, front_door.listen(settings.http), StateLock(folder))


class Swept(NamedTuple):
    """What came of a sweep: which of them are left, and what root answered."""

    agents: bool
    warden: bool
    comes_later: bool
    successor: bool
    named: list[str]  # as wardens


def _swept(folder: Path, dies: str, end_warden: bool) -> Swept:
    """A supervisor asks for a sweep, and is killed before it, or a facade is, or nobody; a warden comes amid it."""
    with pytest.MonkeyPatch.context() as patch:
        pids: dict[str, int] = {}
        patch.setattr(Kept, "start", lambda *_: pids.setdefault("successor", _idle()))
        patch.setattr(os, "sched_yield", lambda: pids.setdefault("comes_later", _idle()))
        its = _a_root(folder)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        theirs.setblocking(False)
        pids |= {"agents": _idle(session=True), "warden": _idle()}
        supervisor, facade = _idle(), _idle()
        its.cast.supervisor.hold(Member(supervisor, ours.detach()), lambda _: None)
        its.cast.facades[0].hold(Member(facade, socket.socket().detach()), lambda _: None)
        doomed = {"supervisor": supervisor, "facade": facade}.get(dies)
        if doomed is not None:
            os.kill(doomed, signal.SIGKILL)
            os.waitid(os.P_PID, doomed, os.WEXITED | os.WNOWAIT)
        its.hear(its.cast.supervisor, wire.encode(SweepOrphans([pids["warden"]] if end_warden else [])))
        left = own_children()
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        agents, warden, comes_later, successor = (
            pids.get(name) in left for name in ("agents", "warden", "comes_later", "successor")
        )
        answer = wire.to_role.decode(theirs.recv(1000))
        assert isinstance(answer, OrphansSwept)
        assert answer.survivors == []
        named = sorted(name for name, pid in pids.items() if pid in answer.wardens)
        return Swept(agents, warden, comes_later, successor, named)


def _in_a_fork(folder: Path, dies: str = "nobody", end_warden: bool = False) -> Swept:
    return Swept(*in_a_fork(lambda: _swept(folder, dies, end_warden)))


def test_a_sweep_ends_what_agents_left_and_names_the_wardens_those_that_come_meanwhile_too(
    tmp_path: Path,
) -> None:
    assert _in_a_fork(tmp_path) == Swept(False, True, True, False, ["comes_later", "warden"])


def test_a_warden_is_ended_if_it_is_asked_for_by_name(tmp_path: Path) -> None:
    assert _in_a_fork(tmp_path, end_warden=True) == Swept(False, False, True, False, ["comes_later"])


def test_who_ends_amid_a_sweep_gets_a_successor_that_is_not_swept_away(tmp_path: Path) -> None:
    assert _in_a_fork(tmp_path, "facade") == Swept(False, True, True, True, ["comes_later", "warden"])


def test_of_a_supervisor_that_died_no_warden_is_swept_away_for_the_next_one_has_them(tmp_path: Path) -> None:
    assert _in_a_fork(tmp_path, "supervisor")[:3] == (False, True, True)


def test_more_pids_than_a_page_holds_are_one_message() -> None:
    many = list(range(1 << 21, (1 << 21) + 20_000))
    assert len(wire.encode(OrphansSwept(wardens=many))) < MESSAGE_BYTES
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        ours.send(wire.encode(OrphansSwept(wardens=many)))
        assert wire.to_role.decode(theirs.recv(MESSAGE_BYTES)) == OrphansSwept(wardens=many)
