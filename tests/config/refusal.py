"""Asks that a configuration is refused, and for what."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from runward.config.settings import ConfigError


class Refusal:
    """What was refused, once the block is over."""

    def __init__(self) -> None:
        self.text = ""
        self.keys: list[str] = []

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()


@contextmanager
def refused(*keys: str) -> Iterator[Refusal]:
    """The block must be refused, for exactly these keys, in any order."""
    refusal = Refusal()
    with pytest.raises(ConfigError) as caught:
        yield refusal
    refusal.text = str(caught.value)
    refusal.keys = [problem.key for problem in caught.value.problems]
    assert sorted(refusal.keys) == sorted(keys), refusal.text
