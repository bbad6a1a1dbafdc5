"""The end of a run as a value or an exception."""

from typing import Any

from ..actors.errors import RunwardError
from ..actors.records import Exit, Status
from .api_types import RunInfo


class RunNotCompleted(RunwardError):
    """A run ended without completing. `run` is the run object, `reason` why, `exit` the receipt."""

    def __init__(self, run: RunInfo) -> None:
        super().__init__(
            f"{run.run_id} {run.status} ({run.reason})" + (f": {run.error}" if run.error else "")
        )
        self.run = run
        self.reason = run.reason
        self.exit = run.exit or Exit()
        if self.exit.stderr_tail:
            self.add_note(self.exit.stderr_tail.rstrip())


class RunFailed(RunNotCompleted):
    """The run failed: its code raised, died, or went over a limit."""


class RunCancelled(RunNotCompleted):
    """Somebody ended the run."""


class RunTimedOut(RunCancelled, TimeoutError):
    """It took longer than its caller gave it, who then ended it."""


def output_of(run: RunInfo) -> Any:
    """The output of a run that is over. Raises RunFailed or RunCancelled for any other end."""
    if run.status is Status.COMPLETED:
        return run.output
    raise (RunCancelled if run.status is Status.CANCELLED else RunFailed)(run)
