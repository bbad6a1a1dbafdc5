"""A graph of LangGraph, as anybody would write one. It finds its model by OPENAI_BASE_URL."""

import asyncio
from typing import Any

from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import interrupt


@tool
def add(x: int, y: int) -> int:
    """Add two numbers."""
    return x + y


@tool
def fail(why: str) -> str:
    """Raise."""
    raise RuntimeError(why)


@tool
async def hang() -> str:
    """Never return."""
    await asyncio.Event().wait()
    return "never"


@tool
def wipe(what: str) -> str:
    """Wipe something, if people allow it."""
    allowed = interrupt({"question": f"wipe {what}?"})
    return f"wiped {what}: {allowed}" if allowed else f"kept {what}"


TOOLS = [add, fail, hang, wipe]


def made(*, model: str = "scripted") -> Any:
    """Make one when it is needed."""
    asked = ChatOpenAI(model=model, stream_usage=True).bind_tools(TOOLS)

    async def think(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await asked.ainvoke(state["messages"])]}

    graph = StateGraph(MessagesState)
    graph.add_node("think", think)
    graph.add_node("tools", ToolNode(TOOLS, handle_tool_errors=True))
    graph.add_edge(START, "think")
    graph.add_conditional_edges("think", tools_condition)
    graph.add_edge("tools", "think")
    return graph.compile(checkpointer=InMemorySaver())


agent = made()
