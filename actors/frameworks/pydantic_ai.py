"""A pydantic-ai `Agent`: its stream of events as ours, an interrupt as the cancellation of its task."""

from collections.abc import AsyncIterable
from typing import Any

from pydantic_ai import messages

from ..cancelling import see_through
from ..interruption import Interruption
from .narration import Asked, Narration, text_of


def answer(agent: Any, asked: Asked, narration: Narration, interruption: Interruption) -> Any:
    """Ask it; its output. `options` are those of `Agent.run`."""
    return see_through(_answer(agent, asked, narration), interruption)


async def _answer(agent: Any, asked: Asked, narration: Narration) -> Any:
    async def listen(context: Any, events: AsyncIterable[Any]) -> None:
        async for event in events:
            _pass_on(event, narration)
            _count(context.usage, narration)

    options = {"message_history": history_of(asked.given.history), **asked.options}
    if asked.given.instructions:
        options["instructions"] = asked.given.instructions
    result = await agent.run(asked.given.input, event_stream_handler=listen, **options)
    _count(result.usage, narration)
    return result.output


def _pass_on(event: Any, narration: Narration) -> None:
    match event:
        case messages.PartStartEvent(part=messages.TextPart(content=text)):
            narration.text(text)
        case messages.PartDeltaEvent(delta=messages.TextPartDelta(content_delta=text)):
            narration.text(text)
        case messages.PartStartEvent(part=messages.ThinkingPart(content=text)):
            narration.reasoning(text)
        case messages.PartDeltaEvent(delta=messages.ThinkingPartDelta(content_delta=text)):
            narration.reasoning(text)
        case messages.FunctionToolCallEvent(part=call):
            narration.tool_started(call.tool_call_id, call.tool_name, call.args or {})
        case messages.FunctionToolResultEvent():
            narration.tool_completed(event.tool_call_id, error=_has_failed(event.part))


def _has_failed(part: Any) -> bool:
    return getattr(part, "outcome", "success") != "success" or isinstance(part, messages.RetryPromptPart)


def _count(usage: Any, narration: Narration) -> None:
    usage = usage() if callable(usage) else usage  # a method in some versions
    narration.used(usage.input_tokens, usage.output_tokens)


def history_of(history: list[dict[str, Any]]) -> list[messages.ModelMessage]:
    """The conversation so far in the framework's words. What is neither asked nor answered is instruction."""
    found: list[messages.ModelMessage] = []
    for each in history:
        text = text_of(each.get("content"))
        match each.get("role"):
            case "assistant":
                found.append(messages.ModelResponse(parts=[messages.TextPart(text)]))
            case "user":
                found.append(messages.ModelRequest(parts=[messages.UserPromptPart(text)]))
            case _:
                found.append(messages.ModelRequest(parts=[messages.SystemPromptPart(text)]))
    return found
