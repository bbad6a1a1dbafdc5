"""`/v1/runs/{run_id}`: look at, stop, kill, forget."""

from aiohttp import web

from ..actors.errors import Refused
from ..actors.messages.answers import RunDeleted, StopAccepted
from ..actors.messages.base import StopMode
from ..actors.messages.commands import DeleteRun, StopRun
from . import bodies, views
from .context import Call, answer, must_act
from .link import new_id
from .schemas import KillBody, StopBody, Stopping
from .waiting import Ending


async def show(call: Call) -> web.Response:
    """`GET /v1/runs/{run_id}`: the run object."""
    _, record = call.run()
    return answer((await views.of_all(call.facade.journal, [record]))[0])


async def stop(call: Call) -> web.Response:
    """`POST /v1/runs/{run_id}/stop`: 200 once the stop is journalled; with `wait`, once the run is over."""
    must_act(call.who)
    body, ignored = bodies.decode_optional(await _body(call), StopBody)
    grace_s = bodies.checked_grace(body.grace_s)
    return await _end(call, body.mode or "interrupt", grace_s, body.reason, bool(body.wait), ignored)


async def kill(call: Call) -> web.Response:
    """`POST /v1/runs/{run_id}/kill`: the same, with no grace at all."""
    must_act(call.who)
    body, ignored = bodies.decode_optional(await _body(call), KillBody)
    return await _end(call, "kill", 0.0, body.reason, bool(body.wait), ignored)


async def delete(call: Call) -> web.Response:
    """`DELETE /v1/runs/{run_id}`: 204 once nothing of an ended run can be found any more."""
    must_act(call.who)
    _, record = call.run()
    command = DeleteRun(new_id(), record.run_id, call.who.only_owner)
    try:
        await call.facade.link.ask(command, RunDeleted, call.facade.settings.supervision.command_timeout_s)
    except Refused as refusal:
        # It was there just now: this command came through twice, or another did the same.
        if refusal.code != "run_not_found":
            raise
    return web.Response(status=204)


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


async def _body(call: Call) -> bytes:
    return await bodies.read(call.request, call.facade.settings.http.body_timeout_s)
