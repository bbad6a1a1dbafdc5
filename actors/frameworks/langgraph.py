"""A compiled graph of LangGraph: its stream of events as ours, an interrupt as the cancellation of its task.

What it calls an interrupt is a question: people are asked, and it is resumed with what they say.
"""

import json
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphBubbleUp
from langgraph.types import Command

from ..cancelling import see_through
from ..interruption import Interruption
from .approvals import Approvals
from .narration import Asked, Narration, plain, text_of

_EVENTS_VERSION = "v2"


def answer(graph: Any, asked: Asked, narration: Narration, interruption: Interruption) -> Any:
    """Run it; the text of its last message, or its final state. `options` are the keys of a `RunnableConfig`."""
    return see_through(_answer(graph, asked, narration), interruption)


async def _answer(graph: Any, asked: Asked, narration: Narration) -> Any:
    fields = list(graph.get_input_jsonschema().get("properties") or ())
    config = _config(asked)
    told = _Telling(narration)
    approvals = Approvals(asked.run)
    given: Any = state_of(asked, fields)
    while given is not None:
        async for event in graph.astream_events(given, config, version=_EVENTS_VERSION):
            told.pass_on(event)
        given = await _resumption(graph, config, approvals)
    return told.output


async def _resumption(graph: Any, config: RunnableConfig, approvals: Approvals) -> Command[Any] | None:
    """What answers the questions that it stands still at; None where it has ended."""
    if not getattr(graph, "checkpointer", None):
        return None  # without one it can't wait
    questions = (await graph.aget_state(config)).interrupts
    answers = {each.id: await _answered(each.value, approvals) for each in questions}
    return Command(resume=answers) if answers else None


async def _answered(question: Any, approvals: Approvals) -> Any:
    """What people wrote, or True; False if they denied it. LangChain's middleware has words of its own."""
    match question:
        case {"action_requests": [*calls]}:
            return {"decisions": [await _decision(call["name"], call["args"], approvals) for call in calls]}
        case {"type": "tool_approval", "name": tool, "args": arguments}:
            return await _decision(tool, arguments, approvals)
    choice = await approvals.of(question)
    return choice != "deny" and (choice.note or True)


async def _decision(tool: str, arguments: Any, approvals: Approvals) -> dict[str, str]:
    choice = await approvals.of_call(tool, arguments)
    if choice != "deny":
        return {"type": "approve"}
    return {"type": "reject", "message": choice.note} if choice.note else {"type": "reject"}


def _config(asked: Asked) -> RunnableConfig:
    """A graph with a checkpointer wants to know the thread: it is the session."""
    configurable = {"thread_id": asked.run.session_id, **asked.options.get("configurable", {})}
    return RunnableConfig(**{**asked.options, "configurable": configurable})


def state_of(asked: Asked, fields: list[str]) -> Any:
    """What the graph begins with, by the fields that it takes.

    Messages, where it has any; else a JSON object as it is, or the text in its only field. ValueError: none of these.
    """
    given = asked.given
    if "messages" in fields or not fields:
        system = [{"role": "system", "content": given.instructions}] if given.instructions else []
        return {"messages": [*system, *given.history, {"role": "user", "content": given.input}]}
    try:
        state = json.loads(given.input)
    except ValueError:
        state = None
    if isinstance(state, dict):
        return state
    if len(fields) == 1:
        return {fields[0]: given.input}
    raise ValueError(f"the graph takes {', '.join(fields)}: the input must be a JSON object of these")


class _Telling:
    """Reads the events of one run. `output` is there once it has ended."""

    def __init__(self, narration: Narration) -> None:
        self.output: Any = None
        self._narration = narration
        self._streamed: set[str] = set()  # the requests to models that answered in pieces

    def pass_on(self, event: Any) -> None:
        data, run_id = event["data"], str(event["run_id"])
        match event["event"]:
            case "on_chat_model_stream":
                self._streamed.add(run_id)
                self._say(data["chunk"])
            case "on_chat_model_end":
                self._answered(run_id, data["output"])
            case "on_tool_start":
                self._narration.tool_started(run_id, event["name"], data.get("input"))
            case "on_tool_end":
                failed = getattr(data.get("output"), "status", None) == "error"
                self._narration.tool_completed(run_id, failed, event["name"])
            case "on_tool_error":
                asks = isinstance(data.get("error"), GraphBubbleUp)  # it begins anew with the answer
                self._narration.tool_completed(run_id, not asks, event["name"])
            case "on_chain_end" if not event["parent_ids"]:
                self.output = output_of(data["output"])

    def _say(self, message: Any) -> None:
        self._narration.reasoning(_thoughts(message))
        self._narration.text(text_of(message.content))

    def _answered(self, run_id: str, message: Any) -> None:
        """A model that can't stream has said nothing yet."""
        if run_id not in self._streamed:
            self._say(message)
        if usage := getattr(message, "usage_metadata", None):
            self._narration.used_more(usage["input_tokens"], usage["output_tokens"])


def _thoughts(message: Any) -> str:
    """What a message has of reasoning, in the two forms that integrations give it."""
    content = message.content if isinstance(message.content, list) else []
    parts = [each for each in content if isinstance(each, dict) and each.get("type") == "reasoning"]
    beside = message.additional_kwargs.get("reasoning_content") or ""
    return "".join(each.get("reasoning") or "" for each in parts) + beside


def output_of(state: Any) -> Any:
    """The text of the last message; of a graph without messages, its final state."""
    messages = state.get("messages") if isinstance(state, dict) else None
    return text_of(messages[-1].content) if messages else plain(state)
