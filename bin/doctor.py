"""`runward doctor`: what this machine can hold a run by, what not and why, and what an administrator could do."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec

from ..actors.containment.report import HeldReport, Report
from ..actors.errors import ContainmentMissing
from ..config.errors import ConfigError
from ..config.sections import Settings
from . import options
from .arguments import Option
from .columns import columns
from .outcome import CommandError, ExitCode, print_json
from .terminal import one_line


def doctor(
    config: Annotated[Path | None, Option(help="The configuration file.")] = None,
    as_json: options.Json = False,
) -> int:
    """Try what can hold a run on this machine, here and as this user; tell what works, and what would help."""
    report = examine(_settings(config))
    if as_json:
        print_json(msgspec.to_builtins(report))
    else:
        print("\n".join(page(report)))
    return ExitCode.REFUSED if report.unmet else ExitCode.DONE


def _settings(config: Path | None) -> Settings:
    from ..config.settings import load

    try:
        return load(config)
    except ConfigError as error:
        raise CommandError(str(error), ExitCode.REFUSED, "configuration") from error


def examine(settings: Settings) -> Report:
    """Try everything, as a server with these settings would. Forks; takes a tenth of a second."""
    # Imported late: `--help` needs none of it.
    from ..actors.containment import linux
    from ..actors.containment.finding_out import find_out
    from ..actors.containment.reporting import report

    unsupported = linux.supported()
    if unsupported is not None:
        raise CommandError(unsupported, ExitCode.REFUSED, "unsupported")
    asked, refused = settings.containment, []
    try:
        found = find_out(settings)
    except ContainmentMissing as error:
        refused.append(str(error))
        whatever = msgspec.structs.replace(asked, kill="auto")
        found = find_out(msgspec.structs.replace(settings, containment=whatever))
    said = report(found, asked.require)
    return msgspec.structs.replace(said, unmet=[*refused, *said.unmet])


def page(report: Report) -> Iterator[str]:
    """The report for people, line by line."""
    yield from (f"{name}: {one_line(text)}" for name, text in report.surroundings.items())
    yield from _part(f"Runs are killed by {report.kill}", [])
    yield f"  the promise: {report.promise}"
    rungs = [(each.level, each.title, _yes(each.works), one_line(each.why or "")) for each in report.rungs]
    yield from (f"  {line}" for line in columns(rungs))
    yield from _part("Limits", _held(report.limits))
    yield from _part("Walls", _held(report.walls))
    tried = [
        (each.name, _yes(each.works), f"{each.took_ms:.1f} ms", one_line(each.error or each.detail or ""))
        for each in report.mechanisms
    ]
    yield from _part("Tried here", columns(tried))
    if report.advice:
        yield from _part("What an administrator could do", (f"- {one_line(line)}" for line in report.advice))
    if report.unmet:
        yield from _part("A server with these settings would not start", map(one_line, report.unmet))


def _part(title: str, lines: Iterator[str] | list[str]) -> Iterator[str]:
    yield ""
    yield title
    for line in lines:
        yield f"  {line}"


def _held(reports: list[HeldReport]) -> Iterator[str]:
    rows = [(each.axis, each.by or "nobody", one_line(each.why or "")) for each in reports]
    return columns(rows) if rows else iter(("none",))


def _yes(works: bool) -> str:
    return "yes" if works else "no"
