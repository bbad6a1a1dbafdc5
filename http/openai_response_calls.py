"""`/v1/responses`: begin a run as a response, and look at, cancel, delete one."""

from aiohttp import web
from msgspec.structs import replace

from ..actors.errors import Refused
from ..actors.messages.answers import RunDeleted, StopAccepted
from ..actors.messages.commands import DeleteRun, StartRun, StopRun
from ..actors.records import ResponseAsked, Status
from . import (
    bodies,
    keyed,
    openai_conversation,
    openai_parameters,
    openai_responses,
    openai_runs,
    openai_stored,
    starting,
)
from .context import Call, answer, must_act
from .errors import Problem
from .link import new_id
from .openai_response_events import Events
from .openai_responses import Asked
from .openai_runs import Begun
from .openai_schemas import ResponseBody, ResponseDeleted
from .openai_text import Said
from .parameters import Parameter, number
from .schemas import StartBody
from .waiting import Ending

_TRUTH = {"true": True, "1": True, "false": False, "0": False}


def _truth(text: str) -> bool:
    if text not in _TRUTH:
        raise ValueError(text)
    return _TRUTH[text]


STREAM = Parameter[bool]("stream", bool, "true or false", read=_truth)
STARTING_AFTER = Parameter[int](
    "starting_after", int, "the sequence_number of the last event that you have seen", read=number
)


async def create(call: Call) -> web.StreamResponse:
    """200 once the run is over; with `stream` at once and its events; with `background` at once, and it goes on."""
    must_act(call.who)
    key = keyed.key_of(call.request)
    sent = await bodies.read(call.request, call.facade.settings.http.body_timeout_s)
    body, ignored = openai_parameters.decode(sent, ResponseBody, openai_parameters.RESPONSE_REFUSED)
    how = _how(body)
    command = await _command(call, body, how, key, keyed.body_hash(sent) if key is not None else b"")

    async def answered(begun: Begun) -> web.StreamResponse:
        asked = Asked(begun.key, begun.record, command.given)
        if body.stream:
            return await openai_runs.stream(call, begun, Events(asked))
        if how.background:
            return answer(await openai_stored.now(call, asked), headers=begun.headers)
        said = Said()
        record = await openai_runs.ended(call.facade, begun, said)
        response = openai_responses.ended(asked._replace(record=record), said.end(record))
        return answer(response, headers=begun.headers)

    return await openai_runs.answered(call, command, ignored, answered, stays=how.background)


async def show(call: Call) -> web.StreamResponse:
    """`GET /v1/responses/{response_id}`: it as it is now; with `stream` its events, from the first or after one."""
    asked = openai_stored.find(call, call.request.match_info["response_id"])
    headers = {openai_runs.RUN_ID: asked.record.run_id}
    seen = STARTING_AFTER.of(call.request)
    if STREAM.of(call.request):
        begun = Begun(asked.key, asked.record, headers)
        return await openai_runs.stream(call, begun, Events(asked, 0 if seen is None else seen + 1))
    if seen is not None:
        raise Problem("invalid_value", "'starting_after' is for a stream.", param="starting_after")
    return answer(await openai_stored.now(call, asked), headers=headers)


async def cancel(call: Call) -> web.Response:
    """`POST /v1/responses/{response_id}/cancel`: 200 once nothing of its run is left; 400 if it was over before."""
    must_act(call.who)
    asked = openai_stored.find(call, call.request.match_info["response_id"])
    run_id = asked.record.run_id
    if not asked.record.status.ended:
        try:
            stop = StopRun(new_id(), run_id, call.who.only_owner, reason="the response was cancelled")
            await call.facade.link.ask(stop, StopAccepted, _timeout_s(call))
        except Refused as refusal:
            if refusal.code != "run_ended":
                raise
        await Ending(call.facade.feeds, run_id, asked.key).wait()
        asked = asked._replace(record=openai_runs.record_now(call.facade, run_id))
    elif asked.record.status is not Status.CANCELLED:
        raise Problem("response_ended", f"It is over ({asked.record.status}), so it can't be cancelled.")
    return answer(await openai_stored.now(call, asked), headers={openai_runs.RUN_ID: run_id})


async def delete(call: Call) -> web.Response:
    """`DELETE /v1/responses/{response_id}`: 200 once nothing of it, or of its run, can be found any more."""
    must_act(call.who)
    response_id = call.request.match_info["response_id"]
    asked = openai_stored.find(call, response_id)
    command = DeleteRun(new_id(), asked.record.run_id, call.who.only_owner)
    try:
        await call.facade.link.ask(command, RunDeleted, _timeout_s(call))
    except Refused as refusal:
        if refusal.code != "run_not_found":  # it was there just now, so somebody else deleted it
            raise
    return answer(ResponseDeleted(id=response_id))


def _how(body: ResponseBody) -> ResponseAsked:
    how = ResponseAsked(bool(body.background), body.store is not False, body.previous_response_id)
    if how.background and not how.store:
        raise Problem(
            "invalid_value",
            "With 'background' there is only what is stored: leave 'store' out.",
            param="store",
        )
    return how


async def _command(
    call: Call, body: ResponseBody, how: ResponseAsked, key: str | None, body_hash: bytes
) -> StartRun:
    talk = openai_conversation.from_items(body.input, body.instructions)
    start = StartBody(
        agent=openai_runs.model_of(body.model),
        input=[
            *await openai_stored.history_before(call, how),
            *talk.history,
            {"role": "user", "content": talk.text},
        ],
        instructions=talk.instructions,
        metadata=body.metadata,
    )
    command = starting.start_command(call, start, key, body_hash)
    return replace(command, given=replace(command.given, response=how))


def _timeout_s(call: Call) -> float:
    return call.facade.settings.supervision.command_timeout_s
