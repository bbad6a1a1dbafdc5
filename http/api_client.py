"""A client of the runs API, blocking, on the standard library alone: what the command line talks with.

Every method raises ServerUnreachable when no answer came and ApiError when the answer is no (`api_errors`).
Documents come back as the API's own JSON objects. One client may be used by many threads.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal
from urllib.parse import quote, urlencode

from .api_events import EventStream
from .api_transport import Transport

Run = dict[str, Any]
StopMode = Literal["interrupt", "terminate", "kill"]

PAGE = 200  # the most that the server gives at once


class ApiClient:
    """One server, seen with one key (None: without). Raises ValueError for a URL or key that can't be one.

    `timeout_s` is how long the server may be silent before a request counts as unanswered.
    """

    def __init__(self, url: str, key: str | None = None, timeout_s: float = 30.0) -> None:
        self.transport = Transport(url, key, timeout_s)

    @property
    def url(self) -> str:
        """The server's, without a slash at its end."""
        return self.transport.url

    def start(self, body: Mapping[str, Any]) -> str:
        """Start a run and return its id; it is in the journal by then. `body`: at least `input`."""
        run_id: str = self.transport.ask("POST", "/v1/runs", dict(body), "run_id")["run_id"]
        return run_id

    def run(self, run_id: str) -> Run:
        """The run object as it is now."""
        return self.transport.ask("GET", _run_path(run_id), having="run_id")

    def runs(self, **filters: str | None) -> Iterator[Run]:
        """Every run that matches (`status`, `agent`, `session_id`, `parent_run_id`), newest first."""
        query = {name: value for name, value in filters.items() if value is not None} | {"limit": str(PAGE)}
        while True:
            page = self.transport.ask("GET", f"/v1/runs?{urlencode(query)}", having="data")
            yield from page["data"]
            if not (page.get("has_more") and page.get("next")):
                return
            query["before"] = page["next"]

    def events(
        self,
        run_id: str,
        after: int = 0,
        patience_s: float = 30.0,
        on_loss: Callable[[str], None] = lambda _: None,
    ) -> EventStream:
        """The run's events after number `after`, to its end; a lost connection is made again."""
        return EventStream(self.transport, f"{_run_path(run_id)}/events", after, patience_s, on_loss)

    def stop(
        self,
        run_id: str,
        mode: StopMode | None = None,
        grace_s: float | None = None,
        reason: str | None = None,
    ) -> None:
        """Ask for the run's end, beginning at this rung. The wish is then in the journal; the run may go on.

        A second stop moves to the next rung. An ended run is an ApiError with code `run_ended`.
        """
        wishes = {"mode": mode, "grace_s": grace_s, "reason": reason}
        body = {name: value for name, value in wishes.items() if value is not None}
        self.transport.ask("POST", f"{_run_path(run_id)}/stop", body)

    def kill(self, run_id: str) -> None:
        """Ask for the run's end with no grace at all; otherwise as `stop`."""
        self.transport.ask("POST", f"{_run_path(run_id)}/kill", {})

    def health(self, timeout_s: float | None = None) -> bool:
        """Whether the server says that it works; needs no key. Raises as the others do when it says no."""
        return self.transport.ask("GET", "/health", timeout_s=timeout_s).get("status") == "ok"


def _run_path(run_id: str) -> str:
    return f"/v1/runs/{quote(run_id, safe='')}"
