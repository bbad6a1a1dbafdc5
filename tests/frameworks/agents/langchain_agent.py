"""An agent of LangChain's `create_agent`, which is a graph, with its own middleware for people in the loop."""

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver


@tool
def wipe(what: str) -> str:
    """Wipe something."""
    return f"wiped {what}"


agent = create_agent(
    ChatOpenAI(model="scripted", stream_usage=True),
    [wipe],
    middleware=[HumanInTheLoopMiddleware({"wipe": True})],
    checkpointer=InMemorySaver(),
)
