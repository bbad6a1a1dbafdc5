"""`GET /v1/runs`: the runs newest first, filtered, a page at a time; with `follow=1` the changes, as they come."""

from typing import Annotated, Literal, NamedTuple

from aiohttp import web
from msgspec import Meta

from ..actors.records import RunRecord, Status
from . import following, views
from .context import Call, answer
from .errors import Problem
from .parameters import Parameter, number
from .schemas import RunList

LIST_LIMIT = 50
LIST_MAX = 200

STATUS = Parameter[Status]("status", Status, f"one of {', '.join(Status)}")
AGENT = Parameter[str]("agent", str, "printable text")
SESSION_ID = Parameter[str]("session_id", str, "printable text")
PARENT_RUN_ID = Parameter[str]("parent_run_id", str, "printable text")
LIMIT = Parameter[int](
    "limit", Annotated[int, Meta(ge=1, le=LIST_MAX)], f"a number from 1 to {LIST_MAX}", read=number
)
BEFORE = Parameter[str]("before", str, "the 'next' of an earlier page")
FOLLOW = Parameter[str]("follow", Literal["0", "1"], "1 or 0")
PARAMETERS = (STATUS, AGENT, SESSION_ID, PARENT_RUN_ID, LIMIT, BEFORE, FOLLOW)


class Filters(NamedTuple):
    """What a run must be to be listed; None: anything."""

    status: Status | None
    agent: str | None
    session_id: str | None
    parent_run_id: str | None
    owner: str | None

    def match(self, record: RunRecord) -> bool:
        """Whether the run is such a one."""
        return all(value is None or getattr(record, name) == value for name, value in self._asdict().items())


async def listing(call: Call) -> web.StreamResponse:
    """A page, or the stream of changes."""
    follow = FOLLOW.of(call.request) == "1"
    filters = _filters(call)
    if follow:
        _refuse_paging(call)
        return await following.follow(call, filters.match)
    try:
        page = call.facade.journal.runs(
            **filters._asdict(), limit=LIMIT.of(call.request) or LIST_LIMIT, before=BEFORE.of(call.request)
        )
    except ValueError as error:
        raise Problem(
            "invalid_cursor", "'before' must be the 'next' of an earlier page.", param="before"
        ) from error
    shown = await views.of_all(call.facade.journal, page.records)
    return answer(RunList(data=shown, has_more=page.has_more, next=page.next))


def _filters(call: Call) -> Filters:
    return Filters(
        status=STATUS.of(call.request),
        agent=AGENT.of(call.request),
        session_id=SESSION_ID.of(call.request),
        parent_run_id=PARENT_RUN_ID.of(call.request),
        owner=call.who.only_owner,
    )


def _refuse_paging(call: Call) -> None:
    for name in ("limit", "before"):
        if name in call.request.query:
            raise Problem("invalid_value", f"'{name}' pages a list; it has no use with 'follow'.", param=name)
