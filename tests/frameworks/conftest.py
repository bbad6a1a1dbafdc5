"""A server in whose environment the frameworks are, the model that its agents talk to, and nothing left behind."""

from collections.abc import Iterator

import pytest

from ..support.language_model import LanguageModel, language_model
from ..support.leaks import _nothing_left_by_a_test
from ..support.server import Server, running
from . import houses

__all__ = ["_nothing_left_by_a_test"]


@pytest.fixture(scope="session")
def model() -> Iterator[LanguageModel]:
    with language_model() as model:
        yield model


@pytest.fixture(scope="session")
def house(model: LanguageModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With an agent of each framework."""
    config = {
        "agents": houses.agents(houses.reaching(model.url)),
        "runs": {"builtin_agents": ["echo", "count"]},
    }
    with running(
        tmp_path_factory.mktemp("frameworks"), config, python=houses.python(), variables=houses.VARIABLES
    ) as server:
        yield server
