"""`runward serve`: reads the settings, takes the operator's key out of the environment, and becomes root."""

import contextlib
import shutil
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal

from . import fresh_start
from .arguments import Option
from .outcome import CommandError, ExitCode


def serve(
    host: Annotated[str | None, Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, Option(help="Port to listen on; 0 is a free one.")] = None,
    state: Annotated[Path | None, Option(help="Folder for the journal and the key.")] = None,
    config: Annotated[Path | None, Option(help="The configuration file.")] = None,
    auth: Annotated[
        Literal["none", "key"] | None,
        Option(help="Who may ask: who holds a key, or anyone on loopback."),
    ] = None,
    assignments: Annotated[
        list[str] | None, Option("--set", metavar="SECTION.KEY=VALUE", help="Any other setting.")
    ] = None,
    embedded: Annotated[int | None, Option(hidden=True)] = None,  # see actors/embedding.py
    environment: Annotated[int | None, Option(hidden=True)] = None,  # see fresh_start.py
    estate: Annotated[int | None, Option(hidden=True)] = None,  # see actors/estate.py
    rehearse: Annotated[bool, Option("--rehearse", hidden=True)] = False,
) -> int:
    """Serve runs over HTTP until SIGTERM, which lets live ones end, or ctrl-C."""
    environ = fresh_start.environment(environment)
    again = fresh_start.Again(environ)
    api_key = environ.pop("RUNWARD_API_KEY", None) or None
    flags = dict(_assignment(text) for text in assignments or [])
    own = {"http.host": host, "http.port": port, "state.dir": state, "auth.mode": auth}
    flags |= {key: value for key, value in own.items() if value is not None}
    if embedded is not None:
        return _serve_embedded(config, environ, flags, embedded)
    if estate is not None:
        return _take_over(config, environ, flags, api_key, again, estate, rehearse)
    return _serve(config, environ, flags, api_key, again=again)


def _serve_embedded(
    config: Path | None, environ: Mapping[str, str], flags: dict[str, object], descriptor: int
) -> int:
    """Serve for the process that embeds us, and take away the folder that it made for us."""
    from ..actors import embedding

    try:
        given = embedding.receive(descriptor)
    except ValueError as error:
        raise CommandError(str(error), ExitCode.USAGE, "usage") from error
    try:
        wanted = flags | given.settings
        return _serve(config, environ, wanted, given.key, given.callables, given.owner_fd)
    finally:
        if given.folder:
            shutil.rmtree(given.folder, ignore_errors=True)


def _serve(
    config: Path | None,
    environ: Mapping[str, str],
    flags: dict[str, object],
    api_key: str | None,
    callables: Mapping[str, bytes] | None = None,
    owner_fd: int | None = None,
    again: fresh_start.Again | None = None,
) -> int:
    # Imported late: these rooms are root's alone, and `--help` needs none of them.
    from ..config.settings import load

    with _refusing():
        settings = load(config, environ, flags=flags, callables=callables or {})
        from ..actors import root

        return root.serve(settings, api_key, owner_fd, again)


def _take_over(
    config: Path | None,
    environ: Mapping[str, str],
    flags: dict[str, object],
    api_key: str | None,
    again: fresh_start.Again,
    estate: int,
    rehearse: bool,
) -> int:
    """Be the live server's new code, or see whether this code could be that."""
    from ..config.settings import load

    with _refusing():
        settings = load(config, environ, flags=flags)
        from ..actors import root

        if rehearse:
            root.rehearse(settings, estate)
            return ExitCode.DONE
        return root.take_over(settings, api_key, again, estate)


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    """What a server does not start for is told without a traceback."""
    from ..actors import errors
    from ..config.errors import ConfigError

    try:
        yield
    except ConfigError as error:
        raise CommandError(str(error), ExitCode.REFUSED, "configuration") from error
    except (
        errors.CannotTakeOver,
        errors.ContainmentMissing,
        errors.PortTaken,
        errors.SecretUnusable,
        errors.StateFolderTaken,
        errors.StateFolderUnusable,
    ) as error:
        raise CommandError(str(error), ExitCode.REFUSED, type(error).__name__) from error


def _assignment(text: str) -> tuple[str, object]:
    key, equals, value = text.partition("=")
    if not (key.strip() and equals):
        message = f"--set {text!r} is not SECTION.KEY=VALUE, such as runs.max_live=10"
        raise CommandError(message, ExitCode.USAGE, "usage")
    return key.strip(), _value(key.strip(), value)


def _value(key: str, text: str) -> object:
    """The text as the key's own type has it; for a key of an agent, as TOML if it is TOML."""
    from ..config.schema import plain_keys
    from ..config.sources import from_text

    if key in plain_keys():
        return from_text(text, plain_keys()[key])
    try:
        value: object = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, KeyError):
        return text
    return value
