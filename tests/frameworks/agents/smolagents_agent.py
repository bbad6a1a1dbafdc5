"""An agent of smolagents, as anybody would write one. It finds its model by OPENAI_BASE_URL."""

import os
import threading

from smolagents import OpenAIServerModel, ToolCallingAgent, tool


@tool
def add(x: int, y: int) -> int:
    """Add two numbers.

    Args:
        x: The one.
        y: The other.
    """
    return x + y


@tool
def fail(why: str) -> str:
    """Raise.

    Args:
        why: What it says.
    """
    raise RuntimeError(why)


@tool
def hang() -> str:
    """Never return."""
    threading.Event().wait()
    return "never"


def made(*, model: str = "scripted") -> ToolCallingAgent:
    """Make one when it is needed."""
    asked = OpenAIServerModel(
        model, api_base=os.environ["OPENAI_BASE_URL"], api_key=os.environ["OPENAI_API_KEY"]
    )
    return ToolCallingAgent([add, fail, hang], asked, stream_outputs=True)


agent = made()
