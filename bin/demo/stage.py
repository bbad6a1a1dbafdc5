"""Runs the demo's cases side by side and stops the runaway."""

import threading
import time
from collections.abc import Sequence

from ...http.api_client import Client
from ...http.api_errors import ClientError
from .verdict import CASES, SPIN, Case
from .view import View
from .waiting import LOOK_S, Waits
from .watch import Watched

SPIN_S = 1.5  # how long the runaway may run away; the grace of its stop is in the server's settings
RUNS_S = 20.0
MODEL_S = 180.0


def run_all(client: Client, cases: Sequence[Case], shown: View, waits: Waits) -> list[Watched]:
    """Start all, stop the runaway after a while, and wait for every end, but not for ever."""
    runs = [Watched(case, client, shown.tell) for case in cases]
    for watched in runs:
        watched.start()
    stopper = _Stopper(client, next(watched for watched in runs if watched.case is SPIN))
    until = time.monotonic() + (MODEL_S if len(cases) > len(CASES) else RUNS_S)
    while time.monotonic() < until and (
        waiting := next((watched for watched in runs if not watched.done.is_set()), None)
    ):
        waits.wait(waiting.done, LOOK_S)
        shown.show(runs)
        stopper.look()
    return runs


class _Stopper:
    """Stops the runaway once it has spun for a while. The request is a thread's, so that the view goes on."""

    def __init__(self, client: Client, spin: Watched) -> None:
        self._client = client
        self._spin = spin
        self._spinning_since: float | None = None
        self._asked = False

    def look(self) -> None:
        """Stop it if it is time; called again and again."""
        now = time.monotonic()
        if self._spinning_since is None and self._spin.story.text:
            self._spinning_since = now
        if self._spinning_since is not None and not self._asked and now - self._spinning_since > SPIN_S:
            self._asked = True
            threading.Thread(target=self._stop, daemon=True).start()

    def _stop(self) -> None:
        try:
            self._client.stop(self._spin.run_id, reason="the demo stops its runaway")
        except ClientError as error:
            self._spin.trouble = f"the stop failed: {error}"
