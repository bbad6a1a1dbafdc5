"""From what an entrypoint turned out to be to the one call of it that a run is."""

from collections.abc import Mapping
from typing import Any, Protocol

from .calling import Deltas, FunctionCall
from .channel import Channel
from .conversation import Conversation, built
from .ending import Call
from .entrypoints import kind_of
from .frameworks.recognised import framework_of
from .interruption import Interruption
from .records import Kind, RunInput
from .run import Run


class AgentCall(Call, Protocol):
    """One call, not yet made."""

    def perform(self, interruption: Interruption) -> None:
        """Make it, and see it through; an interrupt ends it as its kind allows. Raises what the agent raises."""


def call_of(
    target: Any, given: RunInput, run: Run, channel: Channel, options: Mapping[str, Any]
) -> AgentCall:
    """Built, and ready to be performed. Raises what the agent's own code raises, and TypeError for no agent."""
    agent, deltas = target, Deltas(channel)
    framework = framework_of(target)
    if framework is None:
        kind = kind_of(target)
        if kind is not Kind.CONVERSATION:
            return FunctionCall(target, kind, given.input, run, channel, options)
        agent, options = built(target, run, channel, deltas, options), {}
        framework = framework_of(agent)
    if framework is None:
        return Conversation(agent, given, run, deltas)
    from .frameworks.call import FrameworkCall  # which no other agent needs

    return FrameworkCall(framework, agent, given, run, channel, deltas, options)
