"""`docs/quick-start.md`: what it says is typed, and what it says is printed."""

from collections.abc import Iterator

import pytest

from ..support import pages
from ..support.server import Server, running

PAGE = pages.Page("quick-start.md")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("quick-start")
    PAGE.write_files(folder)
    with running(folder, PAGE.declared) as server:
        yield server


@pytest.mark.parametrize("console", PAGE.consoles, ids=lambda console: f"line-{console.line}")
def test_commands_print_what_the_page_says(house: Server, console: pages.Block) -> None:
    pages.check(house, console)
