"""Root as an object, in a process of its own: what it does when more than one thing happens at once."""

import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from runward.actors import front_door, root, wire
from runward.actors.containment.findings import Found
from runward.actors.estate import Member
from runward.actors.journal.lock import StateLock
from runward.actors.kept import Kept
from runward.actors.messages import OrphansSwept, SweepOrphans
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


def test_a_supervisor_that_dies_while_root_sweeps_for_it_gets_a_successor_that_is_not_swept_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work() -> dict[str, Any]:
        started: list[int] = []
        monkeypatch.setattr(Kept, "start", lambda *_: started.append(_idle()))
        its = _a_root(tmp_path)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        orphan, supervisor = _idle(), _idle()
        role = its.cast.supervisor
        role.hold(Member(supervisor, ours.detach()), lambda _: None)
        os.kill(supervisor, signal.SIGKILL)
        os.waitid(os.P_PID, supervisor, os.WEXITED | os.WNOWAIT)
        its.hear(role, wire.encode(SweepOrphans([])))
        left = own_children()
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        answer = wire.to_role.decode(theirs.recv(100))
        return {"orphan": orphan in left, "started": started == left, "answer": answer == OrphansSwept([])}

    assert in_a_fork(work) == {"orphan": False, "started": True, "answer": True}
