"""An `Agent` of the OpenAI Agents SDK: its stream of events as ours, an interrupt as its `cancel`.

A call of a tool that needs approval is put to people, and the run resumed with what they say.
"""

import os
from typing import Any

from agents import RunConfig, Runner

from ..cancelling import see_through
from ..interruption import Interruption
from .approvals import Approvals
from .narration import Asked, Narration

_REASONING = {"response.reasoning_text.delta", "response.reasoning_summary_text.delta"}


def answer(agent: Any, asked: Asked, narration: Narration, interruption: Interruption) -> Any:
    """Ask it; its final output. `options` are those of `Runner.run_streamed`."""
    return see_through(_answer(agent, asked, narration), interruption)


async def _answer(agent: Any, asked: Asked, narration: Narration) -> Any:
    options = {"run_config": RunConfig(tracing_disabled=not _traced()), **asked.options}
    approvals = Approvals(asked.run)
    given: Any = conversation_of(asked)
    denied: set[str] = set()
    while True:
        streamed = Runner.run_streamed(agent, given, **options)
        try:
            async for event in streamed.stream_events():
                _pass_on(event, narration, denied)
                usage = streamed.context_wrapper.usage
                narration.used(usage.input_tokens, usage.output_tokens)
        except BaseException:
            streamed.cancel()
            raise
        if not streamed.interruptions:
            return streamed.final_output
        given = await _decided(streamed, approvals, denied)


async def _decided(streamed: Any, approvals: Approvals, denied: set[str]) -> Any:
    """The state to go on from; the calls that people denied are among `denied` too."""
    state = streamed.to_state()
    for item in streamed.interruptions:
        choice = await approvals.of_call(item.name or "tool", item.arguments)
        if choice == "deny":
            denied.add(str(item.call_id))
            state.reject(item, rejection_message=choice.note)
        else:
            state.approve(item)
    return state


def _traced() -> bool:
    """Only where the declaration says so: traces go to a host that most agents can't reach."""
    return os.environ.get("OPENAI_AGENTS_DISABLE_TRACING", "1").lower() in ("0", "false")


def conversation_of(asked: Asked) -> list[Any]:
    """Instructions of the caller, the history, and the input."""
    given = asked.given
    system = [{"role": "system", "content": given.instructions}] if given.instructions else []
    return [*system, *given.history, {"role": "user", "content": given.input}]


def _pass_on(event: Any, narration: Narration, denied: set[str]) -> None:
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
            call_id = str(event.item.call_id)
            narration.tool_completed(call_id, error=call_id in denied)
