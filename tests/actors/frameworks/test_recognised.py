"""A framework is told by the names of types alone, so types of the same names stand in for it here.

That the real packages still name theirs so is for `tests/frameworks/`, which the quick check leaves out.
"""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from runward.actors.frameworks import recognised
from runward.actors.frameworks.recognised import advice, framework_of

CHECKOUT = Path(__file__).parents[3]


def named(base: tuple[str, str]) -> type:
    """A class with that module and name."""
    module, name = base
    return type(name, (), {"__module__": module})


BASES = [base for framework in recognised._FRAMEWORKS for base in sorted(framework.bases)]


@pytest.mark.parametrize("base", BASES, ids=lambda base: base[0])
def test_an_agent_is_told_by_the_types_that_it_has(base: tuple[str, str]) -> None:
    kind = named(base)
    subclass = type("Mine", (kind,), {})
    for agent in (kind(), subclass()):
        framework = framework_of(agent)
        assert framework is not None
        assert framework.kind.value == framework.adapter
    assert framework_of(subclass) is None, "a class is no agent yet"


@pytest.mark.parametrize("other", [len, lambda text: text, "text", 1, None, object(), type], ids=repr)
def test_anything_else_is_of_no_framework(other: Any) -> None:
    assert framework_of(other) is None


@pytest.mark.parametrize("framework", recognised._FRAMEWORKS, ids=lambda framework: framework.adapter)
def test_every_framework_has_an_adapter_and_an_extra(framework: recognised.Framework) -> None:
    assert (CHECKOUT / "actors" / "frameworks" / f"{framework.adapter}.py").exists()
    found = importlib.util.find_spec(f"runward.actors.frameworks.{framework.adapter}")
    assert found is not None
    extra = framework.kind.value.replace("_", "-")
    assert extra in recognised._EXTRAS.values()
    assert f"\n{extra} = [" in (CHECKOUT / "pyproject.toml").read_text()


@pytest.mark.parametrize(("module", "extra"), recognised._EXTRAS.items())
def test_an_import_of_what_is_not_installed_names_the_extra(module: str, extra: str) -> None:
    assert advice(ModuleNotFoundError(name=module)) == f" (pip install 'runward[{extra}]')"
    assert advice(ModuleNotFoundError(name=f"{module}.deeper")) == f" (pip install 'runward[{extra}]')"


@pytest.mark.parametrize(
    "error", [ModuleNotFoundError(name="nobody"), ImportError(name="pydantic_ai"), ValueError("x")], ids=repr
)
def test_any_other_error_names_none(error: Exception) -> None:
    assert advice(error) == ""
