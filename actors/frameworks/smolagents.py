"""An agent of smolagents: its steps as our events, an interrupt as its own.

Its model thinks aloud and calls tools until one of them is the answer: what it streams is reasoning.
"""

import time
from collections.abc import Iterator
from typing import Any

from smolagents import ActionStep, ChatMessageStreamDelta, FinalAnswerStep, PlanningStep, TaskStep
from smolagents.agents import ActionOutput, ToolOutput
from smolagents.memory import ToolCall
from smolagents.monitoring import Timing

from ..interruption import Interrupted, Interruption
from .narration import Asked, Narration, plain, text_of


def answer(agent: Any, asked: Asked, narration: Narration, interruption: Interruption) -> Any:
    """Run it; its final answer. `options` are those of `run`."""
    if asked.given.instructions:
        agent.instructions = "\n\n".join(filter(None, [agent.instructions, asked.given.instructions]))
    agent.memory.steps.extend(steps_of(asked.given.history))
    with interruption.heard_by(lambda _: agent.interrupt()):
        steps = agent.run(asked.given.input, stream=True, **{"reset": False, **asked.options})
        told = _Telling(narration)
        try:
            for step in steps:
                if interruption.wished:
                    _break_off(steps)
                    return None
                told.pass_on(step)
        except Exception:
            if interruption.wished:
                return None  # its way to say that it was interrupted
            raise
    return told.output


def _break_off(steps: Iterator[Any]) -> None:
    """End a generator that can't be closed, since it yields its unfinished step on the way out."""
    try:
        getattr(steps, "throw")(Interrupted("interrupted"))  # noqa: B009  # no part of Iterator
        next(steps)
    except (Interrupted, StopIteration):
        pass


class _Telling:
    """Reads what one run yields. `output` is there once it has ended."""

    def __init__(self, narration: Narration) -> None:
        self.output: Any = None
        self._narration = narration

    def pass_on(self, step: Any) -> None:
        match step:
            case ChatMessageStreamDelta(content=text):
                self._narration.reasoning(text)
            case ToolCall(name="final_answer"):
                pass  # no tool, but how it answers
            case ToolCall():
                self._narration.tool_started(step.id, step.name, step.arguments)
            case ToolOutput(tool_call=ToolCall(name="final_answer")):
                pass
            case ToolOutput():
                self._narration.tool_completed(step.id, tool=step.tool_call.name)
            case ActionOutput():
                self._narration.tools_completed()  # code, whose call is not named again
            case ActionStep() | PlanningStep():
                self._step_ended(step)
            case FinalAnswerStep():
                self.output = plain(step.output)
                self._narration.text(step.output if isinstance(step.output, str) else None)

    def _step_ended(self, step: Any) -> None:
        self._narration.tools_completed(error=getattr(step, "error", None) is not None)
        if usage := step.token_usage:
            self._narration.used_more(usage.input_tokens, usage.output_tokens)


def steps_of(history: list[dict[str, Any]]) -> list[Any]:
    """The conversation so far, as the steps that would have led there."""
    found: list[Any] = []
    now = time.time()
    for number, each in enumerate(history):
        text = text_of(each.get("content"))
        if each.get("role") == "assistant":
            found.append(ActionStep(step_number=number, timing=Timing(now, now), model_output=text))
        else:
            found.append(TaskStep(task=text))
    return found
