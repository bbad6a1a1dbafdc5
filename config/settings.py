"""The configuration room's front door: `load`, `defaults`, `describe`, and the names that other rooms use.

A setting comes from, the later over the earlier: the built-in defaults, one file, the environment, flags.
A process that is handed its settings and loads nothing imports `sections` alone, which is lighter.
"""

from .describing import describe
from .errors import ConfigError, Problem
from .loading import defaults, load
from .rules import is_loopback
from .sections import (
    AgentPaths,
    AgentSpec,
    AuthKey,
    AuthSettings,
    ContainmentSettings,
    EventsSettings,
    HttpSettings,
    Limits,
    RunsSettings,
    Settings,
    StateSettings,
    SupervisionSettings,
)

__all__ = [
    "AgentPaths",
    "AgentSpec",
    "AuthKey",
    "AuthSettings",
    "ConfigError",
    "ContainmentSettings",
    "EventsSettings",
    "HttpSettings",
    "Limits",
    "Problem",
    "RunsSettings",
    "Settings",
    "StateSettings",
    "SupervisionSettings",
    "defaults",
    "describe",
    "is_loopback",
    "load",
]
