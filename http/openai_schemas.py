"""The bodies of the OpenAI surface, in and out; their names and fields are OpenAI's.

What a request may hold beside these fields is in `openai_parameters`. As everywhere, null is the same as absent.
"""

from typing import Any, Literal

import msgspec

# ── in ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class StreamOptions(msgspec.Struct):
    """`include_usage`: a last chunk with the usage."""

    include_usage: bool | None = None


class ChatBody(msgspec.Struct):
    """`POST /v1/chat/completions`. `model` names an agent."""

    model: str | None = None
    messages: list[dict[str, Any]] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    metadata: dict[str, str] | None = None


class ResponseBody(msgspec.Struct):
    """`POST /v1/responses`. `model` names an agent."""

    model: str | None = None
    input: str | list[dict[str, Any]] | None = None
    instructions: str | None = None
    stream: bool | None = None
    background: bool | None = None
    store: bool | None = None
    previous_response_id: str | None = None
    metadata: dict[str, str] | None = None


# ── out: models ───────────────────────────────────────────────────────────────────────────────────────────────────


class Model(msgspec.Struct, kw_only=True):
    """An agent. `created` says nothing here: agents are declared, not made at a time."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "runward"


class ModelList(msgspec.Struct, kw_only=True):
    """Every registered agent."""

    object: Literal["list"] = "list"
    data: list[Model]


# ── out: chat completions ─────────────────────────────────────────────────────────────────────────────────────────

FinishReason = Literal["stop", "length"]


class ChatUsage(msgspec.Struct):
    """Tokens, as the agent counted them; 0 where it counted none."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatMessage(msgspec.Struct, kw_only=True):
    """What the agent said."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class Choice(msgspec.Struct, kw_only=True):
    """The one answer."""

    index: int = 0
    message: ChatMessage
    logprobs: None = None
    finish_reason: FinishReason


class ChatCompletion(msgspec.Struct, kw_only=True):
    """A run that completed."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: ChatUsage


class Delta(msgspec.Struct, omit_defaults=True):
    """What a chunk adds."""

    role: Literal["assistant"] | None = None
    content: str | None = None


class ChunkChoice(msgspec.Struct, kw_only=True):
    """The one answer, in the making."""

    index: int = 0
    delta: Delta
    logprobs: None = None
    finish_reason: FinishReason | None = None


class ChatChunk(msgspec.Struct, kw_only=True):
    """One frame of a stream. `usage`: absent unless it was asked for, and null but in the last chunk."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: ChatUsage | msgspec.UnsetType | None = msgspec.UNSET


# ── out: responses ────────────────────────────────────────────────────────────────────────────────────────────────

ResponseStatus = Literal["queued", "in_progress", "completed", "failed", "incomplete", "cancelled"]
ItemStatus = Literal["in_progress", "completed", "incomplete"]


class OutputText(msgspec.Struct, kw_only=True, tag_field="type", tag="output_text"):
    """Text of a message."""

    text: str
    annotations: list[Any] = []
    logprobs: list[Any] = []


class OutputMessage(msgspec.Struct, kw_only=True, tag_field="type", tag="message"):
    """What the agent said."""

    id: str
    status: ItemStatus
    role: Literal["assistant"] = "assistant"
    content: list[OutputText]


class ResponseError(msgspec.Struct):
    """Why a response failed."""

    message: str
    code: Literal["server_error"] = "server_error"


class IncompleteDetails(msgspec.Struct):
    """Why a response is not whole."""

    reason: Literal["max_output_tokens"] = "max_output_tokens"


class InputDetails(msgspec.Struct):
    """Not counted here."""

    cached_tokens: int = 0


class OutputDetails(msgspec.Struct):
    """Not counted here."""

    reasoning_tokens: int = 0


class ResponseUsage(msgspec.Struct):
    """Tokens, as the agent counted them; 0 where it counted none."""

    input_tokens: int
    output_tokens: int
    total_tokens: int
    input_tokens_details: InputDetails = msgspec.field(default_factory=InputDetails)
    output_tokens_details: OutputDetails = msgspec.field(default_factory=OutputDetails)


class Response(msgspec.Struct, kw_only=True):
    """A run as a response. `output` is empty and `usage` null until the run is over."""

    id: str
    object: Literal["response"] = "response"
    created_at: float
    completed_at: float | None
    status: ResponseStatus
    model: str
    output: list[OutputMessage]
    error: ResponseError | None
    incomplete_details: IncompleteDetails | None
    usage: ResponseUsage | None
    instructions: str | None
    metadata: dict[str, str]
    previous_response_id: str | None
    background: bool
    store: bool
    # What is the same for every agent.
    max_output_tokens: None = None
    parallel_tool_calls: bool = False
    temperature: None = None
    text: dict[str, Any] = msgspec.field(default_factory=lambda: {"format": {"type": "text"}})
    tool_choice: Literal["none"] = "none"
    tools: list[Any] = []
    top_p: None = None
    truncation: Literal["disabled"] = "disabled"


class ResponseDeleted(msgspec.Struct, kw_only=True):
    """Nothing of it can be found any more."""

    id: str
    object: Literal["response"] = "response"
    deleted: bool = True
