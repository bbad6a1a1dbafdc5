"""Work done in a forked child, and what it comes to. The child shares nothing with the test but its report."""

import json
import os
import signal
import traceback
import warnings
from collections.abc import Callable
from typing import Any

REPORT_FD = 900  # in the child; above all that is opened there
LONGEST_S = 30  # then the child is ended by its alarm


class ChildFailed(AssertionError):
    """What the work raised in the child, with its traceback there."""


def own_children() -> list[int]:
    """The children of this process, the dead ones too."""
    with open("/proc/thread-self/children") as file:
        return [int(pid) for pid in file.read().split()]


def in_a_fork(work: Callable[[], Any], fork: Callable[[], int] | None = None) -> Any:
    """What `work` returns in a child, as JSON brings it here. `fork` is as `os.fork`, which it is by default."""
    reads, writes = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # 3.12 on: other threads exist, and are not used there
        pid = (fork or os.fork)()
    if pid == 0:
        os.dup2(writes, REPORT_FD)
        _work_and_report(work)
    os.close(writes)
    with open(reads, "rb") as report:
        said = report.read()
    _, status = os.waitpid(pid, 0)
    if not said:
        raise ChildFailed(f"it said nothing and ended with {os.waitstatus_to_exitcode(status)}")
    answer = json.loads(said)
    if "error" in answer:
        raise ChildFailed(answer["error"])
    return answer["value"]


def _work_and_report(work: Callable[[], Any]) -> None:
    """Never returns, so that nothing of the test goes on in the child."""
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.alarm(LONGEST_S)
        said = json.dumps({"value": work()})
    except BaseException:  # noqa: BLE001 - whatever it is, the test hears of it
        said = json.dumps({"error": traceback.format_exc()})
    try:
        os.write(REPORT_FD, said.encode())
    finally:
        os._exit(0)
