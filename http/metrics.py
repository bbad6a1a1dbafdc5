"""`GET /metrics`: Prometheus' text format, of all our processes, whichever facade is asked.

The supervisor has the figures of the runs and what each facade reported. The facade that is asked reports first,
looks at our processes and at the journal's files, and writes above each family what it is.
"""

import asyncio
import os
import time
from typing import NamedTuple

from aiohttp import web

from ..actors.errors import RunwardError
from ..actors.figures import Series
from ..actors.messages.answers import FiguresTold
from ..actors.messages.commands import AskFigures
from . import processes
from .context import Call, Facade, must_see_all
from .link import new_id
from .route import Text

REPORT_S = 2.0
TIMEOUT_S = 1.0  # then there are the figures that need no supervisor
OLDEST_AMONG = 1000  # ends that are owed to webhooks
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
EXPOSITION = Text("text/plain", "Prometheus' text format, 0.0.4.")


class Family(NamedTuple):
    """What its series have in common."""

    kind: str
    help: str


FAMILIES = {
    "runward_up": Family("gauge", "Whether the supervisor answers."),
    "runward_supervisor_uptime_seconds": Family("gauge", "Since the supervisor began."),
    "runward_runs": Family("gauge", "Runs that have not ended."),
    "runward_live_runs": Family("gauge", "Runs that hold a slot."),
    "runward_queued_runs": Family("gauge", "Runs that wait for a slot, or for their next attempt."),
    "runward_runs_ended_total": Family("counter", "Runs that reached their end."),
    "runward_run_restarts_total": Family("counter", "Runs that were begun again."),
    "runward_run_start_seconds": Family(
        "histogram", "From the request to the moment at which the agent is let go."
    ),
    "runward_run_stop_seconds": Family(
        "histogram", "From the first rung of a stop to the proof, by the rung that ended the run."
    ),
    "runward_run_kill_seconds": Family("histogram", "From the kill to the proof."),
    "runward_child_runs_total": Family("counter", "Runs that were started below another."),
    "runward_child_runs_refused_total": Family(
        "counter", "Children that runs of an agent wished for and did not get, by why."
    ),
    "runward_live_child_runs": Family("gauge", "Runs below another that have not ended."),
    "runward_run_tree_depth": Family("gauge", "Levels of the deepest tree of live runs."),
    "runward_webhook_tries_total": Family("counter", "Webhooks that were told of an end, or in vain."),
    "runward_webhooks_waiting": Family("gauge", "Ends that a webhook is still to be told of."),
    "runward_webhooks_oldest_seconds": Family(
        "gauge", "Since the oldest of these ends; 0 where there is none."
    ),
    "runward_survivors_total": Family("counter", "Processes that outlived a kill."),
    "runward_quarantined_agents": Family("gauge", "Agents that get no new run since something survived."),
    "runward_events_total": Family("counter", "Events written to the journal."),
    "runward_event_bytes_total": Family("counter", "Bytes of these events."),
    "runward_journal_commit_seconds": Family(
        "histogram", "What was decided waited so long for the journal before it was told."
    ),
    "runward_journal_held_up": Family("gauge", "Whether there is no room for the journal."),
    "runward_journal_size_bytes": Family("gauge", "The journal's file."),
    "runward_journal_wal_size_bytes": Family("gauge", "What is in the journal and not yet in its main file."),
    "runward_zygote_starts_total": Family("counter", "Zygotes that were started."),
    "runward_process_starts_total": Family(
        "counter", "How often the supervisor and each facade was started."
    ),
    "runward_processes": Family("gauge", "Our own processes."),
    "runward_process_resident_memory_bytes": Family(
        "gauge", "Resident memory of our own processes; what they share counts in each."
    ),
    "runward_process_cpu_seconds_total": Family("counter", "CPU time of our own processes that live."),
    "runward_http_requests_total": Family("counter", "Answers, by route."),
    "runward_http_streams": Family("gauge", "Clients that follow a run."),
}
_PARTS = ("_bucket", "_sum", "_count")


async def metrics(call: Call) -> web.Response:
    """How everything stands, for Prometheus; for who may see all. The figures are those of all our processes."""
    must_see_all(call.who)
    figures = await _figures(call.facade) | await asyncio.to_thread(_looked_at, call.facade)
    figures |= _owed(call.facade)
    return web.Response(body=exposition(figures).encode(), headers={"Content-Type": CONTENT_TYPE})


async def keep_reporting(facade: Facade) -> None:
    """Tell the supervisor what this facade counted, so that another one can be asked for it; if there are others."""
    while facade.settings.http.workers > 1:
        await asyncio.sleep(REPORT_S)
        try:
            await facade.link.ask(_asking(facade, wanted=False), FiguresTold, REPORT_S)
        except RunwardError:
            pass  # the next report tells it


def exposition(figures: Series) -> str:
    """The text: families in their order, and the series of each in theirs. What is no family's is left out."""
    by_family: dict[str, list[str]] = {name: [] for name in FAMILIES}
    for name, number in figures.items():
        lines = by_family.get(_family_of(name))
        if lines is not None:
            lines.append(f"{name} {_text(number)}")
    return "".join(
        f"# HELP {name} {family.help}\n# TYPE {name} {family.kind}\n" + "\n".join(lines) + "\n"
        for (name, family), lines in zip(FAMILIES.items(), by_family.values(), strict=True)
        if lines
    )


async def _figures(facade: Facade) -> Series:
    asking = _asking(facade, wanted=True)
    try:
        return (await facade.link.ask(asking, FiguresTold, TIMEOUT_S)).series
    except RunwardError:
        return {"runward_up": 0.0} | asking.counters | asking.gauges


def _asking(facade: Facade, wanted: bool) -> AskFigures:
    figures, streams = facade.figures, facade.feeds.followers
    return AskFigures(new_id(), figures.life, figures.counters(), figures.gauges(streams), wanted)


def _looked_at(facade: Facade) -> Series:
    """What needs nobody's word. Blocks."""
    size, wal_size = facade.journal.size_bytes()
    return processes.used(os.getppid()) | {
        "runward_journal_size_bytes": float(size),
        "runward_journal_wal_size_bytes": float(wal_size),
    }


def _owed(facade: Facade) -> Series:
    """What the journal has for webhooks."""
    waiting, oldest = facade.journal.owed(OLDEST_AMONG)
    return {
        "runward_webhooks_waiting": float(waiting),
        "runward_webhooks_oldest_seconds": 0.0 if oldest is None else max(0.0, time.time() - oldest),
    }


def _family_of(name: str) -> str:
    base = name.partition("{")[0]
    part = next((part for part in _PARTS if base.endswith(part)), "")
    whole = base.removesuffix(part)
    return whole if part and whole in FAMILIES else base


def _text(number: float) -> str:
    return f"{number:.0f}" if number.is_integer() else repr(number)
