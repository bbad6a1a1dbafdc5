"""`runward inspect`: all that is known of one run."""

import time
from collections.abc import Iterator
from typing import Any

from ..http.api_types import RunInfo
from . import describing, options, run_table
from .columns import columns
from .naming import find
from .outcome import ExitCode, print_json
from .rates import rates
from .server import connect
from .terminal import one_line, tame


def inspect(
    run_id: options.RunId,
    as_json: options.Json = False,
    url: options.Url = None,
    state: options.State = None,
) -> int:
    """Show all that is known of a run: how it stands, what it uses, what holds it, how it ended, what proves that."""
    run = find(connect(url, state), run_id)
    if as_json:
        print_json(run.document())
    else:
        print("\n".join(page(run, time.time())))
    return ExitCode.DONE


def page(run: RunInfo, now: float) -> list[str]:
    """The run for people, line by line. `now`: Unix seconds."""
    facts = [
        (name, one_line(str(value))) for name, value in _facts(run, now) if value not in (None, "", {}, [])
    ]
    lines = list(columns(facts))
    for name, text in (("output", _text(run.output)), ("stderr, its end", run.exit and run.exit.stderr_tail)):
        if text:
            lines += ["", name, *(f"  {line}" for line in tame(text).splitlines())]
    return lines


def _facts(run: RunInfo, now: float) -> Iterator[tuple[str, Any]]:
    yield "run", run.run_id
    yield "agent", run.agent
    yield "status", run_table.status(run)
    yield "rung", run.rung
    yield "error", run.error
    yield "receipt", describing.receipt(run) if run.ended else None
    yield from _times(run, now)
    yield "attempt", run.attempt if run.attempt > 1 else None
    yield "session", run.session_id
    yield "parent", run.parent_run_id
    yield "model", run.model
    yield "metadata", describing.pairs(run.metadata)
    yield "last event", run.last_event and f"{run.last_event} (number {run.last_seq})"
    yield from _processes(run, now)
    yield (
        "tokens",
        f"{run.usage.input_tokens} in, {run.usage.output_tokens} out" if run.usage.total_tokens else None,
    )
    if run.containment is not None:
        yield "killed by", run.containment.kill
        yield "held by", describing.pairs(run.containment.applied)
        yield "not held", "; ".join(run.containment.missing)


def _times(run: RunInfo, now: float) -> Iterator[tuple[str, str | None]]:
    yield "created", _stamp(run.created_at)
    yield "started", _stamp(run.started_at)
    yield "ended", _stamp(run.ended_at)
    yield "age", describing.age((run.ended_at or now) - run.created_at)
    yield "next attempt", _stamp(run.next_attempt_at)


def _processes(run: RunInfo, now: float) -> Iterator[tuple[str, Any]]:
    if run.process is not None:
        used, seconds = run.process, rates(run, None, 0.0, now)
        yield "pid", used.pid
        yield "processes", used.processes
        yield "memory", describing.size(used.rss_bytes)
        share = "" if seconds.cpu is None else f", {seconds.cpu * 100:.0f}% of its life"
        yield "CPU", f"{used.cpu_s:.2f} s{share}"
    elif run.exit is not None:
        yield "most memory", run.exit.max_rss_bytes and describing.size(run.exit.max_rss_bytes)
        yield "CPU", None if run.exit.cpu_s is None else f"{run.exit.cpu_s:.2f} s"


def _text(output: Any) -> str:
    if output is None or isinstance(output, str):
        return output or ""
    return describing.document(output)


def _stamp(at: float | None) -> str | None:
    return None if at is None else time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(at))
