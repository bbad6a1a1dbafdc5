"""`POST /v1/runs/{run_id}/approval` and `/steer`: what people tell live runs."""

from typing import get_args

from aiohttp import web

from ..actors.messages.answers import ApprovalAnswered, RunSteered
from ..actors.messages.commands import AnswerApproval, SteerRun
from ..actors.records import Choice
from . import bodies
from .context import Call, answer, must_act
from .errors import Problem
from .link import new_id
from .schemas import ApprovalBody, ApprovalResponse, SteerBody, Steered

CHOICES: tuple[Choice, ...] = get_args(Choice)
ALIASES: dict[str, Choice] = {"approve": "once", "allow": "once", **{each: each for each in CHOICES}}
LONGEST_NOTE = 4096
LONGEST_STEER_BYTES = 65_536
# A warden takes 2.5 s, and as long may pass until one has come back to a new supervisor; a command is sent again
# half-way, which is later.
STEER_TIMEOUT_S = 12.0


async def approve(call: Call) -> web.Response:
    """Answer what the run asks: `200` once that is journalled; the agent hears it exactly once.

    `409` where it asks nothing (any more), `400` for a choice that it does not offer.
    """
    must_act(call.who)
    _, record = call.run()
    body, ignored = bodies.decode(await _body(call), ApprovalBody)
    choice = ALIASES.get((body.choice or "").strip().lower())
    if choice is None:
        message = f"Invalid approval choice; expected one of: {', '.join(CHOICES)}"
        raise Problem("invalid_approval_choice", message, param="choice")
    if body.note is not None and len(body.note) > LONGEST_NOTE:
        message = f"'note' is longer than {LONGEST_NOTE} characters. Send a shorter one."
        raise Problem("invalid_value", message, param="note")
    command = AnswerApproval(
        new_id(), record.run_id, call.who.only_owner, choice, body.request_id, bool(body.all), body.note
    )
    told = await call.facade.link.ask(
        command, ApprovalAnswered, call.facade.settings.supervision.command_timeout_s
    )
    response = ApprovalResponse(told.run_id, told.choice, told.resolved)
    return answer(response, headers=bodies.ignored_header(ignored))


async def steer(call: Call) -> web.Response:
    """Give a live run guidance: `200` once its agent's own process has taken it, `409` if it does not within 2 s."""
    must_act(call.who)
    _, record = call.run()
    body, ignored = bodies.decode(await _body(call), SteerBody)
    command = SteerRun(new_id(), record.run_id, call.who.only_owner, _guidance(body))
    told = await call.facade.link.ask(command, RunSteered, STEER_TIMEOUT_S)
    return answer(Steered(told.run_id), headers=bodies.ignored_header(ignored))


def _guidance(body: SteerBody) -> str:
    text = next((text for text in (body.input, body.message, body.text) if text is not None), None)
    if text is None or not text.strip():
        raise Problem(
            "missing_field", "Missing 'input': say in it what the run is to be told.", param="input"
        )
    if len(text.encode(errors="replace")) > LONGEST_STEER_BYTES:
        raise Problem(
            "invalid_value", f"The guidance is longer than {LONGEST_STEER_BYTES} bytes.", param="input"
        )
    return text


async def _body(call: Call) -> bytes:
    return await bodies.read(call.request, call.facade.settings.http.body_timeout_s)
