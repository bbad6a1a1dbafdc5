"""Responses that were begun before: found, looked at, and gone on from."""

from ..actors.records import ResponseAsked
from . import openai_responses, openai_runs
from .context import Call
from .errors import Problem
from .openai_conversation import Message
from .openai_responses import Asked
from .openai_runs import Begun
from .openai_schemas import Response
from .openai_text import End, Said


def find(call: Call, response_id: str) -> Asked:
    """A stored response that the caller may see. Raises `Problem`."""
    run_id = openai_responses.run_id(response_id)
    found = None if run_id is None else call.facade.journal.run(run_id)
    if found is not None and call.who.sees(found[1].owner):
        given = call.facade.journal.given(found[0])
        if given is not None and given.response is not None and given.response.store:
            return Asked(*found, given)
    raise Problem("response_not_found", f"Response not found: {response_id[:64]!r}.", param="response_id")


async def now(call: Call, asked: Asked) -> Response:
    """It as it is now."""
    end = await _end(call, asked)
    return openai_responses.live(asked) if end is None else openai_responses.ended(asked, end)


async def _end(call: Call, asked: Asked) -> End | None:
    """How it ended; None if it has not. Events are read only where the record does not hold the text."""
    if not asked.record.status.ended:
        return None
    said = Said()
    if asked.record.output is None:
        await openai_runs.ended(call.facade, Begun(asked.key, asked.record, {}), said)
    return said.end(asked.record)


async def history_before(call: Call, how: ResponseAsked) -> list[Message]:
    """What was said up to the previous response, which must be this caller's own."""
    if how.previous_response_id is None:
        return []
    try:
        asked = find(call, how.previous_response_id)
    except Problem as problem:
        raise _no_previous(how.previous_response_id) from problem
    if asked.record.owner != call.who.name:
        raise _no_previous(how.previous_response_id)
    end = await _end(call, asked)
    if end is None:
        raise Problem(
            "invalid_value",
            "The previous response is not over yet. Go on when it is.",
            param="previous_response_id",
        )
    return openai_responses.history_after(asked, end)


def _no_previous(response_id: str) -> Problem:
    return Problem(
        "previous_response_not_found",
        f"Previous response not found: {response_id[:64]!r}. It must be one that was stored, by this key.",
        param="previous_response_id",
    )
