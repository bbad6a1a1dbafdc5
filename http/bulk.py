"""`POST /v1/runs/stop`: stop all that match."""

from aiohttp import web

from ..actors.messages.answers import RunsStopping
from ..actors.messages.commands import StopRuns
from . import bodies
from .auditing import note
from .context import Call, answer, must_act
from .errors import Problem
from .link import new_id
from .schemas import AllStopping, StopAllBody

_SAY_WHICH = (
    "Say which runs to stop: by 'status', 'agent' or 'session_id', which must all match, or by "
    '"all": true alone.'
)


async def stop_all(call: Call) -> web.Response:
    """200 once all the stops are journalled. A field that is not known is refused: ignored, it would stop more."""
    must_act(call.who)
    sent = await bodies.read(call.request, call.facade.settings.http.body_timeout_s)
    body, unknown = bodies.decode_optional(sent, StopAllBody)
    if unknown:
        raise Problem(
            "invalid_value", f"'{unknown[0][:64]}' is not known here. {_SAY_WHICH}", param=unknown[0][:64]
        )
    if bool(body.all) == _has_filter(body):
        raise Problem("missing_field", _SAY_WHICH, param="all")
    command = StopRuns(
        id=new_id(),
        owner=call.who.only_owner,
        status=body.status,
        agent=body.agent,
        session_id=body.session_id,
        mode=body.mode or "interrupt",
        grace_s=bodies.checked_grace(body.grace_s),
        reason=body.reason,
    )
    timeout_s = call.facade.settings.supervision.command_timeout_s
    stopping = await call.facade.link.ask(command, RunsStopping, timeout_s)
    note(call.request, run_ids=stopping.run_ids)
    return answer(AllStopping(stopping.run_ids))


def _has_filter(body: StopAllBody) -> bool:
    return any(value is not None for value in (body.status, body.agent, body.session_id))
