"""From sources to settings: read each, check each by itself, lay one over the other, then ask the rules."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from . import rules
from .agents import builtin_specs
from .checking import check
from .errors import ConfigError, Problem
from .places import find_file, home, state_home
from .resolving import resolve
from .schema import dotted
from .sections import Settings
from .sources import Layer, read_environment, read_file, read_flags

NO_FLAGS: Mapping[str, object] = MappingProxyType({})
NO_CALLABLES: Mapping[str, bytes] = MappingProxyType({})


def defaults() -> Settings:
    """The settings of a server that nobody configured; reads nothing, so `state.dir` is still empty."""
    return _build({}, {}, "")


def load(
    path: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    flags: Mapping[str, object] = NO_FLAGS,
    callables: Mapping[str, bytes] = NO_CALLABLES,
) -> Settings:
    """The effective settings: defaults, then one file, then `RUNWARD_` variables, then flags (dotted keys).

    The file is `path`, else `$RUNWARD_CONFIG`, else `./runward.toml`, else `~/.config/runward/runward.toml`,
    else none. `callables`: agent → what the process that embeds this server packed for it, beside the agent's keys.
    Raises ConfigError, which names every problem of every source.
    """
    layers, refused = _read(path, environ, flags)
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for layer in layers:
        checked, found = check(layer.tree, layer.source)
        refused += found
        resolve(checked, layer.folder, home(environ))
        _lay_over(merged, checked)
        origins |= dict.fromkeys(_leaves(checked), layer.source)
    for name, packed in callables.items():
        merged.setdefault("agents", {}).setdefault(name, {})["callable"] = packed
    settings = _build(merged, origins, _file_of(layers))
    refused += rules.problems(settings, refused)
    if refused:
        raise ConfigError(refused)
    settings = settings if settings.state.dir else _with_state_folder(settings, environ)
    return _with_variables(settings, environ) if settings.telemetry.traces else settings


def _read(
    path: Path | None, environ: Mapping[str, str], flags: Mapping[str, object]
) -> tuple[list[Layer], list[Problem]]:
    """Every source in order, the weakest first, and what could not be read of them."""
    variables, refused = read_environment(environ)
    layers = [*variables, *read_flags(flags)]
    if found := find_file(path, environ):
        try:
            layers.insert(0, read_file(*found))
        except ConfigError as error:
            refused = [*error.problems, *refused]
    return layers, refused


def _build(merged: dict[str, Any], origins: dict[str, str], config_file: str) -> Settings:
    """Settings from checked values: each agent gets its name and the limits that hold for it."""
    agents = {name: _complete(name, agent, merged) for name, agent in merged.get("agents", {}).items()}
    settings = msgspec.convert(
        {**merged, "agents": agents, "origins": origins, "config_file": config_file}, Settings
    )
    builtin = builtin_specs(settings.runs.builtin_agents, settings.limits)
    return msgspec.structs.replace(settings, agents=builtin | settings.agents)


def _complete(name: str, agent: dict[str, Any], merged: dict[str, Any]) -> dict[str, Any]:
    return {**agent, "name": name, "limits": {**merged.get("limits", {}), **agent.get("limits", {})}}


def _with_state_folder(settings: Settings, environ: Mapping[str, str]) -> Settings:
    folder = str(state_home(environ) / "runward")
    return msgspec.structs.replace(settings, state=msgspec.structs.replace(settings.state, dir=folder))


def _with_variables(settings: Settings, environ: Mapping[str, str]) -> Settings:
    own = {name: text for name, text in environ.items() if name.startswith("OTEL_")}
    return msgspec.structs.replace(settings, trace_variables=own)


def _file_of(layers: list[Layer]) -> str:
    return next((layer.file for layer in layers if layer.file), "")


def _lay_over(below: dict[str, Any], above: dict[str, Any]) -> None:
    """Puts the values of `above` into `below`, table by table; a list replaces a list."""
    for name, value in above.items():
        if isinstance(value, dict) and isinstance(below.get(name), dict):
            _lay_over(below[name], value)
        else:
            below[name] = value


def _leaves(table: dict[str, Any], key: str = "") -> Iterator[str]:
    """The dotted keys of all values in a table; an empty table is a value."""
    for name, value in table.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, dotted(key, name))
        else:
            yield dotted(key, name)
