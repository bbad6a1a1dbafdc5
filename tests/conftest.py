"""Guards that must hold before anything is collected, and the options of the suite.

Fixtures live in `tests/plugins/`, one file for each kind; every file there is loaded.
"""

import http
from pathlib import Path

import pytest
from hypothesis import settings

TESTS = Path(__file__).parent
CHECKOUT = TESTS.parent

pytest_plugins = [f"tests.plugins.{file.stem}" for file in sorted(TESTS.glob("plugins/[!_]*.py"))]


def broken_layout() -> str | None:
    """What makes a name of ours hide the standard library's, or None. An ordinary test comes too late."""
    if (CHECKOUT / "http" / "__init__.py").exists():
        return "http/__init__.py hides the standard library's http; remove it (docs/decisions/0001-layout.md)"
    if not (TESTS / "__init__.py").exists():
        return "tests/__init__.py is missing: without it tests/http would be imported as http"
    if Path(http.__file__).is_relative_to(CHECKOUT / "http") or Path(http.__file__).is_relative_to(TESTS):
        return f"`import http` gives {http.__file__}, not the standard library's"
    return None


if (reason := broken_layout()) is not None:
    pytest.exit(reason, returncode=4)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests marked slow as well")


def pytest_configure(config: pytest.Config) -> None:
    """A quick run tries its laws on fewer examples."""
    if not config.getoption("--slow"):
        settings.register_profile("quick", max_examples=25)
        settings.load_profile("quick")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the slow tests out, unless they are asked for."""
    if config.getoption("--slow"):
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if not item.get_closest_marker("slow")]
