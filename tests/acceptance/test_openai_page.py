"""`docs/openai.md`: its programs run as they stand, and its tables are those of the code."""

import re
from collections.abc import Collection, Iterator

import pytest

from runward.http import openai_parameters as parameters

from ..support import pages
from ..support.server import Server, running

PAGE = pages.Page("openai.md")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("openai_page")
    PAGE.write_files(folder)
    grace = {"interrupt_grace_s": 0.2, "terminate_grace_s": 0.2}
    config = {**PAGE.declared, "runs": {"builtin_agents": ["spin"], "default_agent": "spin", **grace}}
    with running(folder, config) as server:
        yield server


# To import OpenAI's client takes a second each time; `test_openai_client.py` has what it does at hand.
CONSOLES = [
    pytest.param(
        console,
        marks=[pytest.mark.slow] if "python" in console.text else [],
        id=f"line-{console.line}",
    )
    for console in PAGE.consoles
]


@pytest.mark.parametrize("console", CONSOLES)
def test_commands_print_what_the_page_says(house: Server, console: pages.Block) -> None:
    pages.check(house, console)


TABLES: dict[str, list[Collection[str]]] = {
    "ignored": [parameters.CHAT_IGNORED, parameters.RESPONSE_IGNORED],
    "refused": [parameters.CHAT_REFUSED, parameters.RESPONSE_REFUSED],
}
# What goes with `user`, and is not named on the page one by one.
LIKES = {"access_programs", "background_options", *(parameters.CHAT_IGNORED & parameters.RESPONSE_IGNORED)}


@pytest.mark.parametrize("row", TABLES)
def test_the_table_names_every_parameter(row: str) -> None:
    lines = (pages.DOCS / "openai.md").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(f"| {row}"))
    columns = [set(re.findall(r"`([a-z_]+)[`.]", column)) for column in line.split(" | ")[1:]]
    for named, table in zip(columns, TABLES[row], strict=True):
        assert named <= set(table)
        assert set(table) - named <= (LIKES if row == "ignored" else set())
