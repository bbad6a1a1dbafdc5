"""Every promise of docs/security.md names a test that is there, and nothing that is promised is left out."""

import re
from typing import get_args

import pytest

from runward.actors.containment.rungs import RUNGS
from runward.config.kinds import WallName
from runward.config.schema import keys_of
from runward.config.sections import Limits

from ..support.named_tests import NAME, missing
from .sources import CHECKOUT

PAGE = (CHECKOUT / "docs" / "security.md").read_text()
PROMISES = {
    row.split(" | ")[0].removeprefix("| "): row.split(" | ")[1].removesuffix(" |")
    for row in PAGE.partition("# What holds each promise")[2].splitlines()
    if row.startswith("| ") and not row.startswith("| promise |")
}


def test_every_test_that_it_names_is_there() -> None:
    assert missing(PAGE) == []


def test_every_promise_has_a_test() -> None:
    assert len(PROMISES) > 30
    for promise, tests in PROMISES.items():
        assert re.fullmatch(rf"({NAME} ?)+", tests), promise


@pytest.mark.parametrize("name", [*get_args(WallName), *keys_of(Limits)])
def test_every_wall_and_limit_is_promised(name: str) -> None:
    assert any(f"`{name}`" in promise for promise in PROMISES), name


@pytest.mark.parametrize("level", sorted({rung.level for rung in RUNGS.values()}))
def test_every_rung_is_promised(level: str) -> None:
    assert any(re.search(rf"\b{re.escape(level)}(?![\w-])", promise) for promise in PROMISES), level
