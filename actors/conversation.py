"""Runs a conversation agent: an object with `run_conversation`, told of deltas and tools through callbacks.

The shape is that of hermes-agent's `AIAgent`; any object that has it works. Several
threads call the callbacks.
"""

import sys
import traceback
from collections.abc import Mapping
from typing import Any

from .calling import Deltas
from .channel import Channel, event_line
from .entrypoints import signature_of, taken
from .interruption import Interrupted, Interruption
from .records import Kind, RunInput, Usage
from .run import Run

_TOKENS = ("session_prompt_tokens", "session_completion_tokens", "session_total_tokens")


class Conversation:
    """One conversation agent, asked once. `output` and `usage` are right at every moment."""

    kind = Kind.CONVERSATION

    def __init__(self, agent: Any, given: RunInput, run: Run, deltas: Deltas) -> None:
        """`deltas`: those that the agent was built with. TypeError for one without `run_conversation`."""
        self._given = given
        self._run = run
        self._result: Any = None
        self._deltas = deltas
        self._agent = agent
        if not _is_built(agent):
            raise TypeError(
                "a callable that takes no input must return an object with run_conversation, "
                f"or an agent of a framework, not a {type(agent).__name__}"
            )

    @property
    def output(self) -> Any:
        """Its final response; before there is one, what it said so far."""
        if self._result is None:
            return self._deltas.joined
        return self._result.get("final_response") if isinstance(self._result, dict) else self._result

    @property
    def error(self) -> str | None:
        """Why it failed, by its own account."""
        if isinstance(self._result, dict) and self._result.get("failed"):
            return str(self._result.get("error") or "the conversation failed and did not say why")
        return None

    @property
    def interrupted(self) -> bool:
        """Whether it says that it broke off."""
        return isinstance(self._result, dict) and bool(self._result.get("interrupted"))

    @property
    def usage(self) -> Usage | None:
        """Its token counts, where it has any."""
        counts = [getattr(self._agent, name, None) for name in _TOKENS]
        spent, made, total = (each if isinstance(each, int) else 0 for each in counts)
        return Usage(spent, made, total or spent + made) if counts != [None, None, None] else None

    def perform(self, interruption: Interruption) -> None:
        """Ask it. Raises what it raises, and TypeError for a result that is neither a dict nor text."""
        with interruption.heard_by(self._interrupt), self._run.people.heeded_by(self._steer):
            if interruption.wished:
                return  # asked to end before it began
            offered = {
                "user_message": self._given.input,
                "conversation_history": self._given.history,
                "task_id": self._run.run_id,
            }
            ask = self._agent.run_conversation
            self._result = ask(**taken(signature_of(ask), offered))
        if not isinstance(self._result, dict | str | None):
            raise TypeError(f"run_conversation returned a {type(self._result).__name__}, not a dict")

    def _interrupt(self, message: str) -> None:
        """Called once per wish; what goes wrong in the agent's own `interrupt` changes nothing."""
        try:
            if (interrupt := getattr(self._agent, "interrupt", None)) is not None:
                interrupt(message)
        except Interrupted:
            raise
        except (Exception, SystemExit):  # noqa: BLE001  # the agent's own code
            traceback.print_exc()

    def _steer(self, text: str) -> str | None:
        steer = getattr(self._agent, "steer", None)
        if not callable(steer):
            return "it is a conversation without a steer method"
        return "its steer said no" if steer(text) is False else None


def _is_built(candidate: Any) -> bool:
    return not isinstance(candidate, type) and callable(getattr(candidate, "run_conversation", None))


def built(target: Any, run: Run, channel: Channel, deltas: Deltas, options: Mapping[str, Any]) -> Any:
    """What this class or function makes with those arguments that it takes; what is made already, as it is.

    Raises what it raises.
    """
    return target if _is_built(target) else _build(target, run, channel, deltas, options)


def _build(factory: Any, run: Run, channel: Channel, deltas: Deltas, options: Mapping[str, Any]) -> Any:
    offered = {
        "stream_delta_callback": lambda text=None, *_, **__: _on_delta(deltas, text),
        "tool_progress_callback": lambda *args, **more: _on_progress(channel, *args, **more),
        "session_id": run.session_id,
        "ephemeral_system_prompt": run.instructions,
        **options,
    }
    accepted = taken(signature_of(factory), offered)
    if dropped := sorted(options.keys() - accepted.keys()):
        sys.stderr.write(f"runward: the agent takes no option {', '.join(map(repr, dropped))}: left out\n")
    return factory(**accepted)


def _on_delta(deltas: Deltas, text: str | None) -> None:
    """None marks the end of a segment, which readers see by the tool events that follow."""
    if text:
        deltas.send(text)


def _on_progress(
    channel: Channel, event: str, tool: Any = None, preview: Any = None, *_: Any, **more: Any
) -> None:
    """Pass on what the contract names; agents tell much else here, and it is not for readers."""
    match event:
        case "tool.started":
            fields = {"tool": tool, "preview": preview}
        case "tool.completed":
            duration = more.get("duration") or 0.0
            fields = {"tool": tool, "duration": round(duration, 3), "error": bool(more.get("is_error"))}
        case "reasoning.available":
            fields = {"text": preview or ""}
        case _:
            return
    channel.write(event_line(event, fields))
