"""A pydantic-ai `Agent`: its stream of events as ours, an interrupt as the cancellation of its task.

A call of a tool that requires approval is put to people; guidance is what it enqueues.
"""

from collections.abc import AsyncIterable
from contextlib import ExitStack
from typing import Any

from pydantic_ai import messages
from pydantic_ai.capabilities import HandleDeferredToolCalls
from pydantic_ai.exceptions import UserError
from pydantic_ai.tools import DeferredToolRequests, DeferredToolResults, ToolApproved, ToolDenied

from ..cancelling import see_through
from ..interruption import Interruption
from ..people import People
from .approvals import Approvals
from .narration import Asked, Narration, text_of


def answer(agent: Any, asked: Asked, narration: Narration, interruption: Interruption) -> Any:
    """Ask it; its output. `options` are those of `Agent.run`."""
    return see_through(_answer(agent, asked, narration), interruption)


async def _answer(agent: Any, asked: Asked, narration: Narration) -> Any:
    with _Steering(asked.run.people) as steering:

        async def listen(context: Any, events: AsyncIterable[Any]) -> None:
            steering.through(context)
            async for event in events:
                _pass_on(event, narration)
                _count(context.usage, narration)

        options = {"message_history": history_of(asked.given.history), **asked.options}
        if asked.given.instructions:
            options["instructions"] = asked.given.instructions
        # Behind its own: what these don't answer is asked.
        options["capabilities"] = [*options.get("capabilities", ()), _asking(Approvals(asked.run))]
        result = await agent.run(asked.given.input, event_stream_handler=listen, **options)
    _count(result.usage, narration)
    return result.output


def _asking(approvals: Approvals) -> Any:
    async def decide(_: Any, requests: DeferredToolRequests) -> DeferredToolResults | None:
        if not requests.approvals:
            return None  # what is to be done elsewhere, by nobody that is here
        found: dict[str, Any] = {}
        for call in requests.approvals:
            choice = await approvals.of_call(call.tool_name, call.args or {})
            denied = ToolDenied(choice.note) if choice.note else ToolDenied()
            found[call.tool_call_id] = denied if choice == "deny" else ToolApproved()
        return requests.build_results(approvals=found)

    return HandleDeferredToolCalls(handler=decide)


class _Steering:
    """Guidance goes to the model with the next request, or makes one more, from the first request on."""

    def __init__(self, people: People) -> None:
        self._people = people
        self._context: Any = None
        self._heeding = ExitStack()

    def __enter__(self) -> "_Steering":
        return self

    def __exit__(self, *_: object) -> None:
        self._heeding.close()

    def through(self, context: Any) -> None:
        """The context of the run, as it is by now."""
        first, self._context = self._context is None, context
        if first:
            self._heeding.enter_context(self._people.heeded_by(self._enqueue))

    def _enqueue(self, text: str) -> str | None:
        try:
            self._context.enqueue(text)
        except UserError as error:
            return str(error)  # it has ended
        return None


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
