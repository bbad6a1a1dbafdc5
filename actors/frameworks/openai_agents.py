"""An `Agent` of the OpenAI Agents SDK: its stream of events as ours, an interrupt as its `cancel`."""

import os
from typing import Any

from agents import RunConfig, Runner

from ..cancelling import see_through
from ..interruption import Interruption
from .narration import Asked, Narration

_REASONING = {"response.reasoning_text.delta", "response.reasoning_summary_text.delta"}


def answer(agent: Any, asked: Asked, narration: Narration, interruption: Interruption) -> Any:
    """Ask it; its final output. `options` are those of `Runner.run_streamed`."""
    return see_through(_answer(agent, asked, narration), interruption)


async def _answer(agent: Any, asked: Asked, narration: Narration) -> Any:
    options = {"run_config": RunConfig(tracing_disabled=not _traced()), **asked.options}
    streamed = Runner.run_streamed(agent, conversation_of(asked), **options)
    try:
        async for event in streamed.stream_events():
            _pass_on(event, narration)
            usage = streamed.context_wrapper.usage
            narration.used(usage.input_tokens, usage.output_tokens)
    except BaseException:
        streamed.cancel()
        raise
    return streamed.final_output


def _traced() -> bool:
    """Only where the declaration says so: traces go to a host that most agents can't reach."""
    return os.environ.get("OPENAI_AGENTS_DISABLE_TRACING", "1").lower() in ("0", "false")


def conversation_of(asked: Asked) -> list[Any]:
    """Instructions of the caller, the history, and the input."""
    given = asked.given
    system = [{"role": "system", "content": given.instructions}] if given.instructions else []
    return [*system, *given.history, {"role": "user", "content": given.input}]


def _pass_on(event: Any, narration: Narration) -> None:
    match event.type:
        case "raw_response_event" if event.data.type == "response.output_text.delta":
            narration.text(event.data.delta)
        case "raw_response_event" if event.data.type in _REASONING:
            narration.reasoning(event.data.delta)
        case "run_item_stream_event" if event.item.type == "tool_call_item":
            raw = event.item.raw_item
            arguments = raw.get("arguments") if isinstance(raw, dict) else getattr(raw, "arguments", None)
            tool = event.item.tool_name or getattr(raw, "type", "tool")
            narration.tool_started(str(event.item.call_id), tool, arguments)
        case "run_item_stream_event" if event.item.type == "tool_call_output_item":
            narration.tool_completed(str(event.item.call_id))
