"""An agent of the OpenAI Agents SDK, as anybody would write one. It finds its model by OPENAI_BASE_URL."""

import asyncio

from agents import Agent, ModelSettings, OpenAIChatCompletionsModel, function_tool
from openai import AsyncOpenAI


@function_tool
def add(x: int, y: int) -> int:
    """Add two numbers."""
    return x + y


@function_tool
def fail(why: str) -> str:
    """Raise."""
    raise RuntimeError(why)


@function_tool
async def hang() -> str:
    """Never return."""
    await asyncio.Event().wait()
    return "never"


@function_tool(needs_approval=True)
def wipe(what: str) -> str:
    """Wipe something."""
    return f"wiped {what}"


def made(*, model: str = "scripted") -> Agent:
    """Make one when it is needed."""
    asked = OpenAIChatCompletionsModel(model, AsyncOpenAI())
    return Agent(
        name="Brief",
        instructions="Be brief.",
        model=asked,
        model_settings=ModelSettings(include_usage=True),
        tools=[add, fail, hang, wipe],
    )


agent = made()
