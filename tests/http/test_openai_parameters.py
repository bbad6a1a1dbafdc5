"""Every parameter that OpenAI's client can send is decided, and what is refused is refused by its name."""

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from openai.types.chat import completion_create_params as chat
from openai.types.responses import response_create_params as responses

from runward.http import openai_parameters as parameters
from runward.http.errors import Problem
from runward.http.openai_schemas import ChatBody, ResponseBody

CHAT = (ChatBody, parameters.CHAT_REFUSED, parameters.CHAT_IGNORED)
RESPONSE = (ResponseBody, parameters.RESPONSE_REFUSED, parameters.RESPONSE_IGNORED)
KNOWN_TO_OPENAI = [
    (chat.CompletionCreateParamsStreaming, *CHAT),
    (responses.ResponseCreateParamsStreaming, *RESPONSE),
]
ASKS_FOR_SOMETHING = {
    "tools": [{"type": "function", "function": {"name": "f"}}],
    "tool_choice": "required",
    "functions": [{"name": "f"}],
    "function_call": {"name": "f"},
    "n": 2,
    "logprobs": True,
    "top_logprobs": 3,
    "logit_bias": {"50256": -100},
    "stop": "\n",
    "response_format": {"type": "json_object"},
    "modalities": ["text", "audio"],
    "audio": {"voice": "alloy", "format": "wav"},
    "web_search_options": {},
    "moderation": {"model": "m"},
    "conversation": "conv_1",
    "context_management": [{"type": "compaction"}],
    "image": {},
    "include": ["reasoning.encrypted_content"],
    "prompt": {"id": "pmpt_1"},
    "text": {"format": {"type": "json_schema", "name": "n", "schema": {}}},
}
ASKS_FOR_NOTHING = [
    ("n", 1),
    ("tools", []),
    ("tool_choice", "auto"),
    ("logprobs", False),
    ("stop", []),
    ("response_format", {"type": "text"}),
    ("modalities", ["text"]),
    ("text", {"format": {"type": "text"}, "verbosity": "low"}),
    ("text", {"verbosity": "low"}),
]


def _decoded(table: tuple[Any, ...], **fields: Any) -> list[str]:
    return parameters.decode(msgspec.json.encode(fields), table[0], table[1])[1]


@pytest.mark.parametrize(("sent", "shape", "refused", "ignored"), KNOWN_TO_OPENAI)
def test_every_parameter_of_the_client_is_supported_ignored_or_refused(
    sent: Any, shape: type, refused: Iterable[str], ignored: Iterable[str]
) -> None:
    """If this fails since the client is newer: decide what its new parameters mean here, in docs/openai.md too."""
    supported = set(shape.__struct_fields__)  # type: ignore[attr-defined]
    tables = [supported, set(refused), set(ignored)]
    assert {name for name in sent.__annotations__ if not any(name in table for table in tables)} == set()
    assert sum(map(len, tables)) == len(set().union(*tables)), "one is in two tables"


@pytest.mark.parametrize(
    ("table", "name"), [(table, name) for table in (CHAT, RESPONSE) for name in table[1]], ids=str
)
def test_what_can_not_be_kept_is_refused_by_name(table: tuple[Any, ...], name: str) -> None:
    with pytest.raises(Problem) as refusal:
        _decoded(table, model="echo", **{name: ASKS_FOR_SOMETHING[name]})
    assert (refusal.value.code, refusal.value.param) == ("unsupported_parameter", name)
    assert (refusal.value.kind.status, name in str(refusal.value)) == (400, True)


@pytest.mark.parametrize(("name", "value"), ASKS_FOR_NOTHING)
def test_what_asks_for_nothing_is_neither_refused_nor_called_ignored(name: str, value: object) -> None:
    table = CHAT if name in parameters.CHAT_REFUSED else RESPONSE
    assert _decoded(table, **{name: value}) == []
    assert _decoded(table, **{name: None}) == []


def test_advice_and_what_nobody_knows_is_ignored_and_named() -> None:
    assert _decoded(CHAT, temperature=0.5, n=1, max_tokens=3, colour="red") == [
        *("temperature", "max_tokens", "colour")
    ]
