"""What a handler is given: the request, who made it, and this facade's few possessions."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from aiohttp import web

from ..actors.containment.report import Report
from ..actors.journal.reader import Reader
from ..actors.records import RunRecord
from ..config.settings import Settings
from .auth import Keys, OneTimeToken, Sessions, Who
from .changes import Changes
from .errors import Problem
from .feeds import Feeds
from .figures import FacadeFigures
from .link import Link
from .presence import Presence
from .traces import Traces


@dataclass(frozen=True, slots=True)
class Facade:
    """One facade process. `clock`: monotonic seconds; `cookie`: its session cookie's name."""

    settings: Settings
    state_dir: str
    link: Link
    feeds: Feeds
    changes: Changes
    journal: Reader
    keys: Keys
    presence: Presence
    sessions: Sessions
    token: OneTimeToken
    cookie: str
    report: Report
    figures: FacadeFigures
    clock: Callable[[], float]
    traces: Traces | None = None  # who makes some, where that is wanted


@dataclass(frozen=True, slots=True)
class Call:
    """One request of somebody known."""

    request: web.Request
    who: Who
    facade: Facade

    def run(self) -> tuple[int, RunRecord]:
        """Key and record of the run in the path; `Problem` if it is unknown, or not this caller's to see."""
        return find_run(self.facade.journal, self.who, self.request.match_info["run_id"])


def find_run(journal: Reader, who: Who, run_id: str) -> tuple[int, RunRecord]:
    """Key and record of a run that `who` may see; else `Problem`, the same as for one that never was."""
    found = journal.run(run_id) if run_id.isascii() else None
    if found is None or not who.sees(found[1].owner):
        raise Problem(
            "run_not_found", f"Run not found: {run_id[:64]!r}. GET /v1/runs lists the runs that you may see."
        )
    return found


def must_see_all(who: Who) -> None:
    """Raise `Problem` unless `who` may see the runs of every key."""
    if who.only_owner is not None:
        raise Problem(
            "forbidden",
            f"The key '{who.name}' sees its own runs only. Use one with the role read or operate.",
        )


def must_act(who: Who) -> None:
    """Raise `Problem` unless `who` may start and stop runs at all."""
    if not who.may_act:
        raise Problem(
            "forbidden", f"The key '{who.name}' may only read. Use one with the role run or operate."
        )


def answer(body: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """`body` as a JSON response."""
    return web.Response(
        body=msgspec.json.encode(body), status=status, headers=headers, content_type="application/json"
    )
