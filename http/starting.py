"""`POST /v1/runs`: a run is journalled, then answered by its id, or by its event stream from the first event on.

The stream is for who asks for `text/event-stream` more than for JSON. The run goes on when its client leaves,
unless he said `"on_disconnect": "stop"`; a facade that goes down is not a client that leaves.
"""

import asyncio
from uuid import uuid4

from aiohttp import web

from ..actors import wire
from ..actors.errors import Refused, RunwardError
from ..actors.messages.answers import RunAccepted, StopAccepted
from ..actors.messages.commands import StartRun, StopRun
from . import accepting, bodies, events, inputs, keyed, traces
from .context import Call, answer, find_run, must_act
from .errors import Problem
from .link import new_id
from .schemas import StartBody, Started

ENVELOPE_BYTES = 4096  # of a message, beside what is in the body
LEFT = "the client left its stream"
# How a start is refused, beside what is wrong with its form; the supervisor's part: `messages.Refusal`.
CODES = (
    "forbidden",
    "missing_field",
    "agent_not_found",
    "run_not_found",
    "idempotency_key_conflict",
    "run_not_live",
    "tree_full",
    "queue_full",
    "agent_quarantined",
    "shutting_down",
    "journal_full",
)


async def start(call: Call) -> web.StreamResponse:
    """202 once the run is journalled; 200 and its stream for who asks for that."""
    must_act(call.who)
    key = keyed.key_of(call.request)
    events.cursor(call.request)  # one that is none is refused, also where no stream is asked for
    sent = await bodies.read(call.request, call.facade.settings.http.body_timeout_s)
    body, ignored = bodies.decode(sent, StartBody)
    ignored += _without_effect(body)
    command = start_command(call, body, key, keyed.body_hash(sent) if key is not None else b"")
    if accepting.wants_stream(call.request):
        return await _streamed(call, command, body.on_disconnect == "stop", ignored)
    if body.on_disconnect == "stop":  # there is no stream to leave
        ignored.append("on_disconnect")
    accepted = await started(call, command)
    return answer(Started(accepted.run_id), 202, _headers(accepted, ignored))


async def _streamed(call: Call, command: StartRun, stops: bool, ignored: list[str]) -> web.StreamResponse:
    """A start that is sent again with the same key, a browser's way to come back, may say where it was."""
    seen = events.cursor(call.request)
    starting = asyncio.ensure_future(started(call, command))
    try:
        accepted = await (asyncio.shield(starting) if stops else starting)
        headers = _headers(accepted, ignored) | {"Content-Location": f"/v1/runs/{accepted.run_id}/events"}
        key, record = find_run(call.facade.journal, call.who, accepted.run_id)
        return await events.stream_from(call, key, record, seen if accepted.replayed else 0, headers)
    finally:
        if stops:
            call.facade.link.see_to(stop_if_left(call, starting))


async def started(call: Call, command: StartRun) -> RunAccepted:
    """The answer once the run is journalled; the same if the command came through twice. Raises `RunwardError`."""
    try:
        return await call.facade.link.ask(
            command, RunAccepted, call.facade.settings.supervision.command_timeout_s
        )
    except Refused as refusal:
        if refusal.code != "run_exists":  # the id is new, so only this command can have used it
            raise
        return RunAccepted(command.id, command.run_id)


async def stop_if_left(call: Call, starting: "asyncio.Future[RunAccepted]", reason: str = LEFT) -> None:
    """The answer is over. Unless the run is too, or this facade goes, its client left; maybe before it began."""
    facade = call.facade
    try:
        run_id = (await starting).run_id
        found = facade.journal.run(run_id)
        if found is None or found[1].status.ended or facade.feeds.closing:
            return
        stop = StopRun(new_id(), run_id, call.who.only_owner, reason=reason)
        await facade.link.ask(stop, StopAccepted, facade.settings.supervision.command_timeout_s)
    except (RunwardError, Problem):
        pass  # it ended meanwhile, or never began; and there is nobody left to tell


def _headers(accepted: RunAccepted, ignored: list[str]) -> dict[str, str]:
    replayed = keyed.REPLAYED if accepted.replayed else {}
    return {"Location": f"/v1/runs/{accepted.run_id}", **replayed, **bodies.ignored_header(ignored)}


def _without_effect(body: StartBody) -> list[str]:
    """What of a session is asked for and means nothing: without one; or where the request's own history wins."""
    alone = body.session_id is None
    has_own = body.conversation_history is not None or (isinstance(body.input, list) and len(body.input) > 1)
    ignored = ["on_conflict"] if alone and body.on_conflict is not None else []
    if body.history == "session" and (alone or has_own):
        ignored.append("history")
    if has_own:
        body.history = "none"
    return ignored


def start_command(call: Call, body: StartBody, key: str | None, body_hash: bytes) -> StartRun:
    """What the supervisor is asked, checked. Raises `Problem`. `key`: the client's Idempotency-Key."""
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
        idempotency_key=key,
        body_hash=body_hash,
        on_conflict=body.on_conflict,
        priority=body.priority or 0,
        history=body.history,
        webhook=inputs.webhook(body, settings.webhooks),
        trace_parent=call.request.get(traces.PARENT, ""),
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
