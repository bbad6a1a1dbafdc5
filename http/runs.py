"""`/v1/runs`: start, list, look at, stop, kill."""

from uuid import uuid4

from aiohttp import web

from ..actors import wire
from ..actors.errors import Refused
from ..actors.messages import RunAccepted, StartRun, StopAccepted, StopMode, StopRun
from ..actors.records import Status
from . import bodies, inputs, views
from .context import Call, answer, find_run
from .errors import Problem
from .link import new_id
from .schemas import KillBody, RunList, StartBody, Started, StopBody, Stopping
from .waiting import Ending

LIST_LIMIT = 50
LIST_MAX = 200
ENVELOPE_BYTES = 4096  # of a message, beside what is in the body


async def start(call: Call) -> web.Response:
    """`POST /v1/runs`: 202 once the run is journalled."""
    _must_act(call)
    body, ignored = bodies.decode(await _body(call), StartBody)
    command = _start_command(call, body)
    try:
        await call.facade.link.ask(command, RunAccepted, call.facade.settings.supervision.command_timeout_s)
    except Refused as refusal:
        if (
            refusal.code != "run_exists"
        ):  # the id was made here and now, so only this command can have used it
            raise
    location = {"Location": f"/v1/runs/{command.run_id}"}
    return answer(Started(command.run_id), 202, {**location, **bodies.ignored_header(ignored)})


async def listing(call: Call) -> web.Response:
    """`GET /v1/runs`: newest first, filtered, a page at a time."""
    try:
        page = call.facade.journal.runs(
            status=_status(call.request.query.get("status")),
            agent=_text(call, "agent"),
            session_id=_text(call, "session_id"),
            parent_run_id=_text(call, "parent_run_id"),
            owner=call.who.only_owner,
            limit=_limit(call.request.query.get("limit")),
            before=_text(call, "before"),
        )
    except ValueError as error:
        raise Problem(
            "invalid_cursor", "'before' must be the 'next' of an earlier page.", param="before"
        ) from error
    shown = await views.of_all(call.facade.journal, page.records)
    return answer(RunList(data=shown, has_more=page.has_more, next=page.next))


async def show(call: Call) -> web.Response:
    """`GET /v1/runs/{run_id}`: the run object."""
    _, record = call.run()
    return answer((await views.of_all(call.facade.journal, [record]))[0])


async def stop(call: Call) -> web.Response:
    """`POST /v1/runs/{run_id}/stop`: 200 once the stop is journalled; with `wait`, once the run is over."""
    _must_act(call)
    body, ignored = bodies.decode_optional(await _body(call), StopBody)
    grace_s = body.grace_s
    if grace_s is not None and not 0 <= grace_s < 1e9:
        raise Problem("invalid_value", "'grace_s' must be a number of seconds from 0 up.", param="grace_s")
    return await _end(call, body.mode or "interrupt", grace_s, body.reason, bool(body.wait), ignored)


async def kill(call: Call) -> web.Response:
    """`POST /v1/runs/{run_id}/kill`: the same, with no grace at all."""
    _must_act(call)
    body, ignored = bodies.decode_optional(await _body(call), KillBody)
    return await _end(call, "kill", 0.0, body.reason, bool(body.wait), ignored)


async def _end(
    call: Call, mode: StopMode, grace_s: float | None, reason: str | None, wait: bool, ignored: list[str]
) -> web.Response:
    key, record = call.run()
    command = StopRun(new_id(), record.run_id, call.who.only_owner, mode, grace_s, reason)
    await _asked_to_stop(call, command)
    headers = bodies.ignored_header(ignored)
    if not wait:
        return answer(Stopping(record.run_id), headers=headers)
    await Ending(call.facade.feeds, record.run_id, key).wait()
    _, record = call.run()
    return answer((await views.of_all(call.facade.journal, [record]))[0], headers=headers)


async def _asked_to_stop(call: Call, command: StopRun) -> None:
    try:
        await call.facade.link.ask(command, StopAccepted, call.facade.settings.supervision.command_timeout_s)
    except Refused as refusal:
        if (
            refusal.code == "run_ended"
        ):  # how, is in the journal: the terminal event was there before this answer
            refusal.status = call.run()[1].status
        raise


def _start_command(call: Call, body: StartBody) -> StartRun:
    settings = call.facade.settings
    if body.parent_run_id is not None:
        find_run(call.facade.journal, call.who, body.parent_run_id)
    command = StartRun(
        id=new_id(),
        run_id=f"run_{uuid4().hex}",
        owner=call.who.name,
        agent=body.agent or settings.runs.default_agent,
        given=inputs.run_input(body),
        parent_run_id=body.parent_run_id,
        limits=inputs.limits(body),
    )
    try:
        size = len(wire.encode(command))
    except (OverflowError, RecursionError, UnicodeEncodeError) as error:
        raise Problem("invalid_value", "A number in the body is larger than 64 bits can hold.") from error
    if size > settings.events.max_message_bytes - ENVELOPE_BYTES:
        raise Problem(
            "body_too_large", "The input is too large. Send less, or raise events.max_message_bytes."
        )
    return command


async def _body(call: Call) -> bytes:
    return await bodies.read(call.request, call.facade.settings.http.body_timeout_s)


def _must_act(call: Call) -> None:
    if not call.who.may_act:
        raise Problem(
            "forbidden", f"The key '{call.who.name}' may only read. Use one with the role run or operate."
        )


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
    if (
        text is not None and not text.isprintable()
    ):  # a lone surrogate, which nothing can look up, is not either
        raise Problem("invalid_value", f"'{name}' must be printable text.", param=name)
    return text
