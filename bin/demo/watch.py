"""Watches the demo: a thread for each run follows its events, one more asks for the server's health."""

import threading
import time
from collections.abc import Callable

from ...http.api_client import Client
from ...http.api_errors import ClientError
from ...http.api_types import Event
from .processes import is_alive, sight
from .verdict import Case, Story

HEALTH_EVERY_S = 0.1
HEALTH_TIMEOUT_S = 2.0

Tell = Callable[["Watched", Event], None]


class Watched:
    """One run of the demo. The story grows until `done`; `trouble` says why it has no end."""

    def __init__(self, case: Case, client: Client, tell: Tell) -> None:
        self.case = case
        self.story = Story()
        self.run_id = ""
        self.trouble: str | None = None
        self.done = threading.Event()
        self._client = client
        self._tell = tell

    def start(self) -> None:
        """Start the run and follow it in the background."""
        threading.Thread(target=self._follow, daemon=True).start()

    @property
    def status(self) -> str:
        """Its status as its events told it so far."""
        names = (event.event for event in reversed(self.story.events))
        last = next((name for name in names if name.startswith("run.")), "")
        return "running" if last == "run.started" else last.removeprefix("run.")

    def _follow(self) -> None:
        try:
            self.run_id = self._client.start(self.case.given, self.case.agent).run_id
            for event in self._client.stream(self.run_id):
                self._take(event)
            # The end was told: by now nothing may be left, so no grace is given here.
            self.story.still_alive = self.story.process is not None and is_alive(self.story.process)
            self.story.run = self._client.get(self.run_id)
        except ClientError as error:
            self.trouble = str(error)
        finally:
            self.done.set()

    def _take(self, event: Event) -> None:
        if event.event == "run.started":
            self.story.process = sight(int(event.fields["pid"]))
        self.story.events.append(event)
        self._tell(self, event)


class Health:
    """Asks the server how it is until told to stop; knows the slowest answer, and what went wrong."""

    def __init__(self, client: Client) -> None:
        self.asked = 0
        self.slowest_ms = 0.0
        self.failures: list[str] = []
        self._client = client
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """No question is under way when this returns. Blocks 2 s at most."""
        self._over.set()
        self._thread.join(HEALTH_TIMEOUT_S + 1)

    def _watch(self) -> None:
        while not self._over.wait(HEALTH_EVERY_S):
            began = time.monotonic()
            try:
                if not self._client.health(HEALTH_TIMEOUT_S):
                    self.failures.append("it says that it is down")
            except ClientError as error:
                self.failures.append(str(error))
            self.asked += 1
            self.slowest_ms = max(self.slowest_ms, (time.monotonic() - began) * 1000)
