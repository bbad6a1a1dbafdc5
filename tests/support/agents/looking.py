"""Agents that tell what they see of themselves."""

import os
import sys

from runward.actors.run import Run


def look(text: str, run: Run) -> dict[str, object]:
    """Modules, environment and arguments of this process; with the input "wait", after a stop."""
    run.emit("message.delta", delta="ready")
    if text == "wait":
        run.interrupted.wait()
    return {"modules": sorted(sys.modules), "environ": dict(os.environ), "argv": sys.orig_argv}
