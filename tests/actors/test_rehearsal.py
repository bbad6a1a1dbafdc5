"""What the zygote does before its first fork: it may leave nothing that a run would inherit."""

import os
import signal
from pathlib import Path
from typing import Any

from runward.actors import rehearsal
from runward.config.sections import EventsSettings

from .forks import in_a_fork, own_children


def test_a_rehearsal_leaves_no_thread_no_descriptor_no_child_and_no_handler(tmp_path: Path) -> None:
    def left() -> dict[str, Any]:
        return {
            "threads": len(os.listdir("/proc/self/task")),
            "descriptors": sorted(os.listdir("/proc/self/fd")),
            "children": own_children(),
            "handlers": [str(signal.getsignal(number)) for number in range(1, 32)],
            "wakeup": signal.set_wakeup_fd(-1),
        }

    def before_and_after() -> list[Any]:
        rehearsal.rehearse(str(tmp_path / "nobody"), EventsSettings())
        before = left()
        rehearsal.rehearse(str(tmp_path / "nobody"), EventsSettings())
        return [before, left()]

    before, after = in_a_fork(before_and_after)
    assert after == before
    assert after["threads"] == 1
    assert os.listdir(tmp_path) == []
