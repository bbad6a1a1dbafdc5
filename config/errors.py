"""How the configuration says no: every problem at once, each with its source and its key."""

from collections.abc import Iterable
from typing import NamedTuple


class Problem(NamedTuple):
    """One thing that is wrong. `key` is dotted, "" when the whole source could not be used."""

    source: str  # "file /etc/runward.toml", "environment RUNWARD_HTTP_PORT", "flag http.port"
    key: str
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.source, self.key) if part) + f" {self.message}"


class ConfigError(ValueError):
    """The configuration is refused; one line for each problem. Secrets are never in it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))
