"""What the agents of these tests are declared as, and where their packages are."""

from pathlib import Path
from typing import Any

from ..support.extras import python_with
from ..support.language_model import LanguageModel

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


def agents(model: LanguageModel) -> dict[str, Any]:
    """One of each framework, and one that is made when it is needed; they reach the model and nothing else."""
    found: dict[str, Any] = {}
    for name, file in FILES.items():
        found[name] = {"entrypoint": f"{AGENTS / file}.py:agent", **reaching(model)}
        found[f"{name}_made"] = {"entrypoint": f"{AGENTS / file}.py:made", **reaching(model)}
    return found


def reaching(model: LanguageModel) -> dict[str, Any]:
    """What an agent's declaration says so that it finds this model."""
    return {
        "network": "proxy",
        "allow_hosts": [model.address],
        "env": {"OPENAI_BASE_URL": model.url, "OPENAI_API_KEY": "none"},
    }
