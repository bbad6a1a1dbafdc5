"""A warden as the rung makes it, and a bad program in its hold: what is left when it has ended all?"""

import json
import os
import select
import signal
import time
from typing import NamedTuple, NoReturn

from runward.actors.containment import linux, rungs
from runward.actors.containment.cgroup_trials import try_cgroups
from runward.actors.containment.findings import Place
from runward.actors.containment.leaf import Leaf
from runward.actors.containment.leaves import Leaves
from runward.actors.containment.reaping import end_all

from .bad import LONGEST_S, Program
from .nobody import become

OWN_UID = 2_147_352_001  # nobody's, where the rung asks for a user of the run's own
PATIENCE_S = 5.0  # a machine that is busy with other tests is slower than reaping.PATIENCE_S allows for


class Ended(NamedTuple):
    """What the warden says, and what the kernel does. `alive`: somebody still held the run's pipe."""

    survivors: list[int]
    reaped: int
    took_ms: float
    warden_pid: int
    alive: bool


def hold_and_end(rung: rungs.KillRung, user_namespace: bool, program: Program) -> Ended:
    """Fork a warden, let it run the program until that is ready, and end all. Single-threaded callers only."""
    places = try_cgroups()[1] if rung is rungs.CGROUP else ()
    leaves = Leaves(places, f"a test in {os.getpid()}")
    try:
        return _hold_and_end(rung, user_namespace, program, places, leaves.take())
    finally:
        leaves.remove_all()
        assert not list(leaves._found()), "somebody is left in the leaf"


def _hold_and_end(
    rung: rungs.KillRung, user_namespace: bool, program: Program, places: tuple[Place, ...], name: str
) -> Ended:
    alive_reads, alive_writes = os.pipe()
    report_reads, report_writes = os.pipe()
    uid, gid = os.geteuid(), os.getegid()
    child = rungs.fork_warden(rung, user_namespace)
    if child is None:
        leaf = Leaf(places, name)
        _be_warden(rung, user_namespace, (uid, gid), program, leaf, report_writes, alive_writes)
    os.close(report_writes)
    os.close(alive_writes)
    with open(report_reads, "rb") as report:
        said = json.loads(report.read() or b"null")
    os.waitpid(child.pid, 0)
    os.close(child.pidfd)
    ended, _, _ = select.select([alive_reads], [], [], 1.0)  # readable: all ends of it are closed
    os.close(alive_reads)
    assert said is not None, "the warden died without a word"
    assert "error" not in said, said["error"]
    return Ended(**said, alive=not ended)


def _be_warden(
    rung: rungs.KillRung,
    user_namespace: bool,
    ids: tuple[int, int],
    program: Program,
    leaf: Leaf,
    report: int,
    alive: int,
) -> NoReturn:
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(3 * LONGEST_S)
        own_uid = OWN_UID if rung is rungs.OWN_USER else 0
        kill_round = leaf.before(rungs.settle(rung, user_namespace, *ids, own_uid=own_uid))
        _start(program, leaf, report, own_uid)
        os.close(alive)
        began, reaped = time.monotonic(), list[int]()
        survivors = end_all(kill_round, lambda pid, _: reaped.append(pid), PATIENCE_S)
        took_ms = (time.monotonic() - began) * 1000
        said = {"survivors": survivors, "reaped": len(reaped), "took_ms": took_ms, "warden_pid": os.getpid()}
    except BaseException as error:  # noqa: BLE001 - the child must end here
        said = {"error": repr(error)}
    try:
        os.write(report, json.dumps(said).encode())
    finally:
        os._exit(0)


def _start(program: Program, leaf: Leaf, report: int, own_uid: int) -> None:
    """Run it in a child, which does not hold the report, and return when it is ready."""
    ready_reads, ready_writes = os.pipe()

    def ready() -> None:
        os.write(ready_writes, b"x")

    child = linux.fork(leaf.fd)
    if child is None:
        try:
            signal.alarm(LONGEST_S)
            os.close(report)
            leaf.enter()
            if own_uid:
                become(own_uid)
            program(ready)
        finally:
            os._exit(0)
    os.close(child.pidfd)
    assert select.select([ready_reads], [], [], 2 * LONGEST_S)[0], "the program was never ready"
    os.close(ready_reads)
    os.close(ready_writes)
