"""OpenAI's messages and input items, turned into what an agent is given. Pure.

What system and developer messages say are instructions, wherever they stand; the last message is the input and must
be the user's; the rest is history. Content is text: parts are joined by newlines, and any other part is refused.
"""

from typing import Any, NamedTuple

from .errors import Problem
from .openai_parameters import unsupported

TEXT_PARTS = frozenset({"text", "input_text", "output_text"})
INSTRUCTING = frozenset({"system", "developer"})
TALKING = frozenset({"user", "assistant", "tool", "function"})
KEPT = ("name", "tool_calls", "tool_call_id", "function_call")  # of earlier messages, as they are

Message = dict[str, Any]


class Conversation(NamedTuple):
    """What was said. `instructions` None: nothing to that end."""

    instructions: str | None
    history: list[Message]
    text: str


def from_messages(messages: list[Message] | None) -> Conversation:
    """Of a chat completion. Raises `Problem`."""
    if not messages:
        raise Problem("missing_field", "Missing 'messages': give at least the user's.", param="messages")
    return _conversation(messages, "messages", None)


def from_items(items: str | list[Message] | None, instructions: str | None) -> Conversation:
    """Of a response. Raises `Problem`."""
    if not items:
        raise Problem("missing_field", "Missing 'input': give a text, or a list of messages.", param="input")
    if isinstance(items, str):
        return Conversation(instructions, [], items)
    for index, item in enumerate(items):
        kind = item.get("type")
        if kind is not None and kind != "message":
            raise unsupported(f"input[{index}]", f"of type {str(kind)[:40]!r} is not supported")
    return _conversation(items, "input", instructions)


def _conversation(messages: list[Message], field: str, instructions: str | None) -> Conversation:
    told = [instructions] if instructions else []
    said: list[Message] = []
    for index, message in enumerate(messages):
        role, text = _role(message, f"{field}[{index}]"), _text(message, f"{field}[{index}]")
        if role in INSTRUCTING:
            told.append(text or "")
        else:
            kept = {name: message[name] for name in KEPT if message.get(name) is not None}
            said.append({"role": role, "content": text, **kept})
    last = said.pop() if said else {}
    if last.get("role") != "user" or not last["content"]:
        raise Problem(
            "invalid_value",
            f"'{field}' must end with a message of the user's that is not empty.",
            param=field,
        )
    return Conversation("\n\n".join(told) or None, said, last["content"])


def _role(message: Message, where: str) -> str:
    role = message.get("role")
    if not isinstance(role, str) or role not in INSTRUCTING | TALKING:
        raise Problem(
            "invalid_value",
            f"'{where}.role' must be user, assistant, system or developer.",
            param=f"{where}.role",
        )
    return role


def _text(message: Message, where: str) -> str | None:
    """The text of a message; None only where an assistant called tools and said nothing."""
    content = message.get("content")
    if isinstance(content, str) or (content is None and message["role"] in ("assistant", "function")):
        return content
    if not isinstance(content, list):
        raise Problem(
            "invalid_value",
            f"'{where}.content' must be a text, or a list of parts.",
            param=f"{where}.content",
        )
    return "\n".join(_part(part, f"{where}.content[{index}]") for index, part in enumerate(content))


def _part(part: Any, where: str) -> str:
    kind = part.get("type") if isinstance(part, dict) else None
    if not isinstance(kind, str) or kind not in TEXT_PARTS:
        raise unsupported(where, f"of type {str(kind)[:40]!r} is not supported")
    text = part.get("text")
    if not isinstance(text, str):
        raise Problem("invalid_value", f"'{where}.text' must be a text.", param=f"{where}.text")
    return text
