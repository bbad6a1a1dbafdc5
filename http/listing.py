"""`GET /v1/runs`: the runs newest first, filtered, a page at a time; with `follow=1` the changes, as they come."""

from typing import NamedTuple

from aiohttp import web

from ..actors.records import RunRecord, Status
from . import following, views
from .context import Call, answer
from .errors import Problem
from .schemas import RunList

LIST_LIMIT = 50
LIST_MAX = 200
_FOLLOWS = {None: False, "0": False, "1": True}


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
    follow = call.request.query.get("follow")
    if follow not in _FOLLOWS:
        raise Problem("invalid_value", "'follow' must be 1 or 0.", param="follow")
    filters = _filters(call)
    if _FOLLOWS[follow]:
        _refuse_paging(call)
        return await following.follow(call, filters.match)
    try:
        page = call.facade.journal.runs(
            **filters._asdict(), limit=_limit(call.request.query.get("limit")), before=_text(call, "before")
        )
    except ValueError as error:
        raise Problem(
            "invalid_cursor", "'before' must be the 'next' of an earlier page.", param="before"
        ) from error
    shown = await views.of_all(call.facade.journal, page.records)
    return answer(RunList(data=shown, has_more=page.has_more, next=page.next))


def _filters(call: Call) -> Filters:
    return Filters(
        status=_status(call.request.query.get("status")),
        agent=_text(call, "agent"),
        session_id=_text(call, "session_id"),
        parent_run_id=_text(call, "parent_run_id"),
        owner=call.who.only_owner,
    )


def _refuse_paging(call: Call) -> None:
    for name in ("limit", "before"):
        if name in call.request.query:
            raise Problem("invalid_value", f"'{name}' pages a list; it has no use with 'follow'.", param=name)


def _status(text: str | None) -> Status | None:
    try:
        return None if text is None else Status(text)
    except ValueError as error:
        choices = ", ".join(Status)
        raise Problem("invalid_value", f"'status' must be one of {choices}.", param="status") from error


def _limit(text: str | None) -> int:
    if text is None:
        return LIST_LIMIT
    if text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= LIST_MAX:
        return int(text)
    raise Problem("invalid_value", f"'limit' must be a number from 1 to {LIST_MAX}.", param="limit")


def _text(call: Call, name: str) -> str | None:
    text = call.request.query.get(name)
    if text is not None and not text.isprintable():  # a lone surrogate, which nothing can look up, is not
        raise Problem("invalid_value", f"'{name}' must be printable text.", param=name)
    return text
