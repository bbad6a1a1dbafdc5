"""Events and ends of runs in words. Pure: takes the client's objects, gives text that is not tamed yet."""

import json
from collections.abc import Mapping
from typing import Any

from ..actors.records import Exit
from ..http.api_types import Event, RunInfo


def event(event: Event) -> str:
    """An event on one line: its name and its own fields."""
    fields = " ".join(f"{name}={_short(value)}" for name, value in event.fields.items())
    return f"{event.event}  {fields}".rstrip()


def how_to_answer(event: Event) -> str:
    """For whoever reads an `approval.request`: the command that answers it."""
    choices = "|".join(map(str, event.fields.get("choices", ())))
    request_id = event.fields.get("request_id")
    return f"answer it: runward approve {event.run_id} {choices} --request {request_id}"


def receipt(run: RunInfo) -> str:
    """How a run ended and what proves it, on one line."""
    end = f"{run.run_id} {run.status}"
    if run.reason not in (None, run.status):
        end += f" ({run.reason})"
    return "; ".join([end, *_proof(run.exit or Exit())])


def _proof(exit: Exit) -> list[str]:
    parts = []
    if exit.signal:
        parts.append(exit.signal)
    elif exit.code:
        parts.append(f"exit code {exit.code}")
    if exit.rung:
        parts.append(f"ended by the {exit.rung} rung{_took(exit)}")
    if exit.proof:
        parts.append(f"proof: {exit.proof}")
        parts.append(survivors(exit))
    return parts


def survivors(exit: Exit) -> str:
    """The pids that are left, in words."""
    left = exit.survivors
    return f"STILL ALIVE: {', '.join(map(str, left))}" if left else "no survivors"


def _took(exit: Exit) -> str:
    return "" if exit.took_ms is None else f" in {exit.took_ms:.1f} ms"


def _short(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def age(seconds: float) -> str:
    """A length of time in its largest unit that is not zero: 42s, 3m, 5h, 2d."""
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f}{unit}"
    return f"{max(seconds, 0):.0f}s"


def size(count: float) -> str:
    """Bytes in their largest unit, with three digits at the most: 900B, 4.3K, 43M, 1.2G."""
    for unit in "BKMG":
        if count < 999.5 or unit == "G":
            break
        count /= 1024
    return f"{count:.1f}{unit}" if count < 9.95 and unit != "B" else f"{count:.0f}{unit}"


def rate(per_s: float) -> str:
    """How many a second, in as few characters as say it: 0, 0.3, 12, 4.3k."""
    if per_s >= 9_950:
        return f"{per_s / 1000:.0f}k"
    return f"{per_s:.0f}" if per_s >= 9.95 or per_s == 0 else f"{per_s:.1f}"


def pairs(table: Mapping[str, Any]) -> str:
    """A table on one line: name=value, separated by semicolons, since values hold commas."""
    return "; ".join(f"{name}={value}" for name, value in table.items())


def limit(name: str, value: float) -> str:
    """A limit as name=value, bytes in their largest unit."""
    return f"{name}={size(value) if name.endswith('_bytes') else f'{value:g}'}"


def document(value: Any) -> str:
    """An output that is no text, as JSON for people."""
    return json.dumps(value, ensure_ascii=False, indent=2)
