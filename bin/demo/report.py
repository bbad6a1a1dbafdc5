"""What the demo has to say in the end, to people and to programs."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from ..columns import columns
from ..outcome import print_json
from ..terminal import one_line, say
from .server import Departure
from .verdict import complaints
from .watch import Health, Watched

HEADER = (
    "AGENT",
    "STATUS",
    "REASON",
    "SIGNAL",
    "RUNG",
    "MS",
    "PROOF",
    "SURVIVORS",
    "PROCESS",
    "AS IT SHOULD",
)


class Report(NamedTuple):
    """All that was seen."""

    runs: list[Watched]
    health: Health
    gone: Departure
    took_s: float

    @property
    def well(self) -> bool:
        """Whether all went as it should have."""
        return not any(wrong_with_server(self)) and not any(map(wrong_with_run, self.runs))


def wrong_with_run(watched: Watched) -> list[str]:
    """Sentences for what was not as it should have been."""
    if watched.trouble:
        return [watched.trouble]
    if not watched.done.is_set():
        return ["it did not end in time"]
    return complaints(watched.case, watched.story)


def wrong_with_server(report: Report) -> Iterator[str]:
    """Sentences for what was not as it should have been."""
    yield from (f"was not healthy: {failure}" for failure in report.health.failures[:3])
    if not report.health.asked:
        yield "was never asked for its health"
    if report.gone.exit_code is None:
        yield "had to be killed"
    elif report.gone.exit_code != 0:
        yield f"ended with code {report.gone.exit_code}"
    if report.gone.left:
        yield f"left processes behind: {report.gone.left}"


def tell_people(report: Report) -> None:
    """A table on stdout; what is wrong with the server on stderr."""
    health, gone = report.health, report.gone
    print("\n".join(columns([HEADER, *map(_row, report.runs)])))
    print(
        f"\nThe server was asked for its health {health.asked} times; the slowest answer took "
        f"{health.slowest_ms:.0f} ms.\n"
        f"It ended with code {gone.exit_code} and left {len(gone.left) or 'no'} process behind. "
        f"{report.took_s:.1f} s in all."
    )
    for sentence in wrong_with_server(report):
        say(f"the server {sentence}")


def _row(watched: Watched) -> list[str]:
    story, receipt = watched.story, watched.story.receipt
    cells = (
        watched.case.agent,
        story.run and story.run.status,
        story.run and story.run.reason,
        receipt.signal,
        receipt.rung,
        None if receipt.took_ms is None else f"{receipt.took_ms:.1f}",
        receipt.proof,
        ", ".join(map(str, receipt.survivors)) or "none",
        f"{story.process.pid} {'ALIVE' if story.still_alive else 'gone'}" if story.process else None,
        "; ".join(wrong_with_run(watched)) or "yes",
    )
    return [one_line(str(cell)) if cell else "-" for cell in cells]


def tell_programs(report: Report) -> None:
    """One JSON document on stdout."""
    health, gone = report.health, report.gone
    print_json(
        {
            "ok": report.well,
            "took_s": round(report.took_s, 3),
            "runs": [_document(watched) for watched in report.runs],
            "server": {
                "health_asked": health.asked,
                "health_slowest_ms": round(health.slowest_ms, 3),
                "exit_code": gone.exit_code,
                "left": gone.left,
                "wrong": list(wrong_with_server(report)),
            },
        }
    )


def _document(watched: Watched) -> dict[str, Any]:
    story = watched.story
    return {
        "agent": watched.case.agent,
        "text": story.text,
        "pid": story.process.pid if story.process else None,
        "process_gone": story.process is not None and not story.still_alive,
        "wrong": wrong_with_run(watched),
        "run": story.run.document() if story.run else {},
    }
