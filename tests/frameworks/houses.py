"""What the agents of these tests are declared as, and where their packages are."""

from pathlib import Path
from typing import Any

from ..support.extras import python_with

AGENTS = Path(__file__).parent / "agents"
#: Framework → the file of its agent. Each extra is called as its framework, with a dash.
FILES = {name: f"{name}_agent" for name in ("langgraph", "openai_agents", "pydantic_ai", "smolagents")}
#: Its model thinks aloud, and answers by a tool.
THINKS = {"smolagents"}
# Its environment has runward by itself.
VARIABLES = {"PYTHONPATH": ""}


def python() -> str:
    """The interpreter with all frameworks."""
    return python_with(*(name.replace("_", "-") for name in FILES))


def agents(reaching: dict[str, Any]) -> dict[str, Any]:
    """One of each framework, and one that is made when it is needed; and one of LangChain, which is a graph too."""
    found: dict[str, Any] = {}
    for name, file in FILES.items():
        found[name] = {"entrypoint": f"{AGENTS / file}.py:agent", **reaching}
        found[f"{name}_made"] = {"entrypoint": f"{AGENTS / file}.py:made", **reaching}
    found["langchain"] = {"entrypoint": f"{AGENTS / 'langchain_agent'}.py:agent", **reaching}
    return found


def reaching(url: str) -> dict[str, Any]:
    """What an agent's declaration says so that it finds the model at this base URL, and reaches nothing else."""
    return {
        "network": "proxy",
        "allow_hosts": [url.removeprefix("http://").removesuffix("/v1")],
        "env": {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "none"},
    }
