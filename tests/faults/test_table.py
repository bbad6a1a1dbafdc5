"""`docs/faults.md` names tests that are there, and every test that is here."""

import re
from pathlib import Path

from ..layout.sources import CHECKOUT
from ..support.named_tests import NAME, defined_in, missing, named

HERE = Path(__file__).parent
TABLE = (CHECKOUT / "docs" / "faults.md").read_text()


def test_every_test_that_the_table_names_is_there() -> None:
    assert missing(TABLE) == []


def test_every_test_of_a_fault_is_in_the_table() -> None:
    here = {
        (f"{HERE.name}/{path.name}", name)
        for path in HERE.glob("test_*.py")
        if path != Path(__file__)
        for name in defined_in(path)
    }
    assert sorted(here - set(named(TABLE))) == []


def test_every_row_of_the_table_has_a_fault_an_outcome_and_a_test() -> None:
    rows = [line for line in TABLE.splitlines() if line.startswith("| ") and not line.startswith("| fault |")]
    assert len(rows) > 60
    for row in rows:
        fault, outcome, tests = (cell.strip() for cell in row.strip("|").split("|"))
        assert fault, row
        assert outcome, row
        assert re.fullmatch(rf"({NAME} ?)+", tests), row
