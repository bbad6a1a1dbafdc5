"""An agent of pydantic-ai, as anybody would write one. It finds its model by OPENAI_BASE_URL."""

import asyncio

from pydantic_ai import Agent

agent = Agent("openai-chat:scripted", instructions="Be brief.")


@agent.tool_plain
def add(x: int, y: int) -> int:
    """Add two numbers."""
    return x + y


@agent.tool_plain
def fail(why: str) -> str:
    """Raise."""
    raise RuntimeError(why)


@agent.tool_plain
async def hang() -> str:
    """Never return."""
    await asyncio.Event().wait()
    return "never"


@agent.tool_plain(requires_approval=True)
def wipe(what: str) -> str:
    """Wipe something."""
    return f"wiped {what}"


def made(*, model: str = "scripted") -> Agent:
    """Make one when it is needed."""
    return Agent(f"openai-chat:{model}")
