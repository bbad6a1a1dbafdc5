"""The configuration room's front door: `load`, `defaults`, and the names that other rooms use.

A setting comes from, the later over the earlier: the built-in defaults, one file, the environment, flags.
"""

from .agents import builtin_specs
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
    "ContainmentSettings",
    "EventsSettings",
    "HttpSettings",
    "Limits",
    "RunsSettings",
    "Settings",
    "StateSettings",
    "SupervisionSettings",
    "defaults",
]


def defaults() -> Settings:
    """The settings of a server that nobody configured; reads nothing, so `state.dir` is still empty."""
    settings = Settings()
    return Settings(agents=builtin_specs(settings.runs.builtin_agents, settings.limits))
