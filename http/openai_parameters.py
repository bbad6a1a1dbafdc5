"""Which parameters of OpenAI's requests mean something here: a closed table. Pure.

Supported ones are the fields of the body's struct. Of the others, those that only advise a model are ignored and
named in `Runward-Ignored`, as is what nobody knows; those that promise the caller something are refused by name,
unless the value that is sent asks for nothing.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from . import bodies
from .errors import Problem

T = TypeVar("T")

#: Name → whether such a value asks for nothing. (`null` always asks for nothing.)
Refused = Mapping[str, Callable[[Any], bool]]


def _nothing_but(*harmless: Any) -> Callable[[Any], bool]:
    return lambda value: value in harmless


def _is_plain_text(value: Any) -> bool:
    return isinstance(value, dict) and value.get("format", {"type": "text"}) == {"type": "text"}


_TOOLS: Refused = {
    "tools": _nothing_but([]),
    "tool_choice": _nothing_but("none", "auto"),
    "top_logprobs": _nothing_but(0),
    "moderation": _nothing_but(),
}

CHAT_REFUSED: Refused = {
    **_TOOLS,
    "functions": _nothing_but([]),
    "function_call": _nothing_but("none", "auto"),
    "n": _nothing_but(1),
    "logprobs": _nothing_but(False),
    "logit_bias": _nothing_but({}),
    "stop": _nothing_but([]),
    "response_format": _nothing_but({"type": "text"}),
    "modalities": _nothing_but(["text"]),
    "audio": _nothing_but(),
    "web_search_options": _nothing_but(),
}

RESPONSE_REFUSED: Refused = {
    **_TOOLS,
    "conversation": _nothing_but(),
    "context_management": _nothing_but([]),
    "image": _nothing_but(),
    "include": _nothing_but([]),
    "prompt": _nothing_but(),
    "text": _is_plain_text,
}

#: What advises a model: an agent has its own. Listed for documentation and tests; unknown names fare the same.
_ADVICE = {
    "parallel_tool_calls",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "temperature",
    "top_p",
    "user",
}
CHAT_IGNORED = frozenset({
    *_ADVICE,
    "frequency_penalty",
    "max_completion_tokens",
    "max_tokens",
    "prediction",
    "presence_penalty",
    "reasoning_effort",
    "seed",
    "store",
    "verbosity",
})  # fmt: skip
RESPONSE_IGNORED = frozenset({
    *_ADVICE,
    "access_programs",
    "background_options",
    "max_output_tokens",
    "max_tool_calls",
    "reasoning",
    "stream_options",
    "truncation",
})  # fmt: skip


def decode(body: bytes, shape: type[T], refused: Refused) -> tuple[T, list[str]]:
    """The body, and the names of what was ignored. Raises `Problem` for what is refused, or wrong."""
    decoded, others = bodies.decode(body, shape)
    if not refused.keys() & others:
        return decoded, others
    values = msgspec.json.decode(body, type=dict[str, Any])
    for name in others:
        if name in refused and values[name] is not None and not refused[name](values[name]):
            raise unsupported(name)
    return decoded, [name for name in others if name not in refused]


def unsupported(param: str, what: str = "is not supported") -> Problem:
    """The refusal of a parameter by its name."""
    return Problem(
        "unsupported_parameter",
        f"'{param}' {what}: an agent answers with one text and calls its tools itself. Leave it out.",
        param=param,
    )
