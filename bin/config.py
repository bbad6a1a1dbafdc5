"""`runward config`: whether a configuration is any good, and what comes of it."""

import json
from pathlib import Path
from typing import Annotated, Any

from ..config.errors import ConfigError
from ..config.sections import Settings
from ..http import api_address
from . import options
from .arguments import Command, Option
from .outcome import CommandError, ExitCode, print_json
from .terminal import one_line

File = Annotated[Path | None, Option("--config", help="The configuration file.")]


def check(config: File = None, as_json: options.Json = False) -> int:
    """Read the configuration as `serve` would, here and now, and name every problem."""
    settings = _load(config)
    if as_json:
        print_json({"file": settings.config_file or None, "problems": []})
    else:
        print(f"{_file(settings)}: nothing is wrong with it")
    return ExitCode.DONE


def show(
    config: File = None,
    live: Annotated[
        bool, Option("--live", help="Those of the server that runs here, its flags included.")
    ] = False,
    as_json: options.Json = False,
    state: options.State = None,
) -> int:
    """Show every setting and who set it: default, file, environment or flag. Secrets are never shown."""
    if live:
        _show_live(state or api_address.state_folder(), as_json)
    elif as_json:
        from ..config.describing import effective

        _print_json({each.key: (each.value, each.source) for each in effective(_load(config))})
    else:
        from ..config.describing import describe

        print(describe(_load(config)), end="")
    return ExitCode.DONE


COMMANDS: dict[str, Command] = {"check": check, "show": show}


def _show_live(folder: Path, as_json: bool) -> None:
    settings = api_address.noted_settings(folder)
    if not settings:
        message = f"no server runs here with the state folder {folder}; say which with --state"
        raise CommandError(message, ExitCode.UNREACHABLE, "unreachable")
    if as_json:
        _print_json(settings)
    else:
        for key, (value, source) in settings.items():
            print(one_line(f"{key} = {json.dumps(value, ensure_ascii=False)}  # {source}"))


def _print_json(settings: dict[str, tuple[Any, str]]) -> None:
    rows = [{"key": key, "value": value, "source": source} for key, (value, source) in settings.items()]
    print_json({"object": "list", "data": rows})


def _load(config: Path | None) -> Settings:
    from ..config.settings import load

    try:
        return load(config)
    except ConfigError as error:
        problems = [each._asdict() for each in error.problems]
        told = {"message": str(error), "type": "client_error", "code": "configuration", "param": None}
        raise CommandError(str(error), ExitCode.REFUSED, error=told | {"problems": problems}) from error


def _file(settings: Settings) -> str:
    return settings.config_file or "no file, so the defaults and the environment"
