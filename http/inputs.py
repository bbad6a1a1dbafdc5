"""The body of a start, checked and turned into what the agent is given. Pure."""

import math
from typing import Any

import msgspec

from ..actors.records import RunInput
from ..config.sections import WebhookSettings
from . import webhook_address
from .errors import Problem
from .schemas import StartBody

METADATA_BYTES = 16_384
LONGEST_NAME = 256
DEEPEST = 32
TEXT_PARTS = frozenset({"text", "input_text"})

Message = dict[str, Any]


def run_input(body: StartBody) -> RunInput:
    """What the agent is given. Raises `Problem`.

    History is `conversation_history`, then what stands before the message in a list `input`.
    """
    earlier = _messages(body.conversation_history or [], "conversation_history")
    message: object = body.input
    if isinstance(body.input, list):
        *before, last = _messages(body.input, "input") or [{"content": ""}]
        earlier += before
        message = _text(last.get("content"))
    if not isinstance(message, str) or not message:
        raise Problem("missing_field", _NO_INPUT, param="input")
    return RunInput(
        input=message,
        history=earlier,
        instructions=body.instructions,
        session_id=_name(body.session_id, "session_id"),
        model=body.model,
        metadata=_metadata(body.metadata or {}),
    )


def limits(body: StartBody) -> dict[str, float]:
    """The limits of the body, checked for shape only: the supervisor knows which there are."""
    for name, limit in (body.limits or {}).items():
        if isinstance(limit, bool) or not isinstance(limit, int | float) or not 0 <= limit < math.inf:
            raise Problem("invalid_value", f"'limits.{name}' must be a number from 0 up.", param="limits")
    return body.limits or {}


def webhook(body: StartBody, settings: WebhookSettings) -> str | None:
    """The URL that is to be told of the end, if one is. Raises `Problem`."""
    if body.webhook is None:
        return None
    why = webhook_address.why_not(body.webhook.url, settings)
    if why is not None:
        raise Problem("invalid_value", f"'webhook.url' {why}.", param="webhook.url")
    return body.webhook.url


_NO_INPUT = (
    "Missing 'input': give the message for the agent as a string that is not empty, or a list of "
    "{role, content} whose last entry is the message."
)


def _messages(entries: list[Message], field: str) -> list[Message]:
    for index, entry in enumerate(entries):
        role, content = entry.get("role"), entry.get("content", "")
        if not isinstance(role, str) or not role:
            raise _bad(f"{field}[{index}]", "must be {role, content} with a role such as 'user'", field)
        if not isinstance(content, str | list | None):
            raise _bad(f"{field}[{index}].content", "must be a string or a list of content parts", field)
        if not _is_flat(entry, DEEPEST):
            raise _bad(f"{field}[{index}]", f"is nested more than {DEEPEST} deep", field)
    return list(entries)


def _text(content: object) -> object:
    """The text of a message's content, which may be a list of OpenAI's content parts."""
    if not isinstance(content, list):
        return content
    texts: list[str] = []
    for part in content:
        text = part.get("text") if isinstance(part, dict) and part.get("type") in TEXT_PARTS else None
        if not isinstance(text, str):
            raise _bad("input", 'may hold only text parts: {"type": "text", "text": "…"}', "input")
        texts.append(text)
    return "\n".join(texts)


def _metadata(metadata: dict[str, str]) -> dict[str, str]:
    if len(msgspec.json.encode(metadata)) > METADATA_BYTES:
        raise _bad("metadata", f"is larger than {METADATA_BYTES} bytes", "metadata")
    return metadata


def _name(name: str | None, field: str) -> str | None:
    if name is not None and not (0 < len(name) <= LONGEST_NAME and name.isprintable()):
        raise _bad(field, f"must be 1 to {LONGEST_NAME} printable characters", field)
    return name


def _is_flat(value: object, levels: int) -> bool:
    if isinstance(value, dict):
        return levels > 0 and all(_is_flat(item, levels - 1) for item in value.values())
    if isinstance(value, list):
        return levels > 0 and all(_is_flat(item, levels - 1) for item in value)
    return True


def _bad(path: str, what: str, field: str) -> Problem:
    return Problem("invalid_value", f"'{path}' {what}.", param=field)
