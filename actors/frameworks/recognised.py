"""Which framework an agent is made with, told by the modules that its type comes from: nothing is imported.

Also what to install where a framework is wanting. Pure.
"""

from types import FunctionType
from typing import Any, NamedTuple

from ..records import Kind


class Framework(NamedTuple):
    """`bases`: modules and names of the types that an agent of it has among its own."""

    kind: Kind
    adapter: str  # the module beside this one
    bases: frozenset[tuple[str, str]]


_FRAMEWORKS = (
    Framework(Kind.PYDANTIC_AI, "pydantic_ai", frozenset({("pydantic_ai.agent.abstract", "AbstractAgent")})),
    # Compiled, whatever it was before, it is one of these.
    Framework(Kind.LANGGRAPH, "langgraph", frozenset({("langgraph.pregel.protocol", "PregelProtocol")})),
    Framework(Kind.OPENAI_AGENTS, "openai_agents", frozenset({("agents.agent", "AgentBase")})),
    Framework(Kind.SMOLAGENTS, "smolagents", frozenset({("smolagents.agents", "MultiStepAgent")})),
)
_BY_BASE = {base: framework for framework in _FRAMEWORKS for base in framework.bases}

#: Modules that agents import → the extra of runward that brings them.
_EXTRAS = {
    "pydantic_ai": "pydantic-ai",
    "langgraph": "langgraph",
    "langchain": "langgraph",
    "langchain_core": "langgraph",
    "langchain_openai": "langgraph",
    "agents": "openai-agents",
    "run_agent": "hermes",
    "smolagents": "smolagents",
}


def framework_of(target: Any) -> Framework | None:
    """The framework that this object is an agent of; None for any other object, and for a class."""
    kind = type(target)
    if kind is FunctionType or kind is type:
        return None
    for each in kind.__mro__:
        found = _BY_BASE.get((each.__module__, each.__qualname__))
        if found is not None:
            return found
    return None


def advice(error: BaseException) -> str:
    """What to install, if this is the import of a framework that is not there; else nothing."""
    if not isinstance(error, ModuleNotFoundError) or error.name is None:
        return ""
    extra = _EXTRAS.get(error.name.partition(".")[0])
    return f" (pip install 'runward[{extra}]')" if extra else ""
