"""Events and ends of runs in words. Pure: takes the API's objects, gives text that is not tamed yet."""

import json
from collections.abc import Mapping
from typing import Any

STANDARD = frozenset({"event", "run_id", "seq", "timestamp"})
Json = Mapping[str, Any]


def event(event: Json) -> str:
    """An event on one line: its name and its own fields."""
    fields = " ".join(f"{name}={_short(value)}" for name, value in event.items() if name not in STANDARD)
    return f"{event.get('event')}  {fields}".rstrip()


def receipt(run: Json) -> str:
    """How a run ended and what proves it, on one line."""
    end = f"{run.get('run_id')} {run.get('status')}"
    if run.get("reason") not in (None, run.get("status")):
        end += f" ({run['reason']})"
    return "; ".join([end, *_proof(run.get("exit") or {})])


def _proof(exit: Json) -> list[str]:
    parts = []
    if exit.get("signal"):
        parts.append(str(exit["signal"]))
    elif exit.get("code"):
        parts.append(f"exit code {exit['code']}")
    if exit.get("rung"):
        parts.append(f"ended by the {exit['rung']} rung{_took(exit)}")
    if exit.get("proof"):
        parts.append(f"proof: {exit['proof']}")
        parts.append(survivors(exit))
    return parts


def survivors(exit: Json) -> str:
    """The pids that are left, in words."""
    left = exit.get("survivors") or []
    return f"STILL ALIVE: {', '.join(map(str, left))}" if left else "no survivors"


def _took(exit: Json) -> str:
    return "" if exit.get("took_ms") is None else f" in {exit['took_ms']:.1f} ms"


def _short(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def age(seconds: float) -> str:
    """A length of time in its largest unit that is not zero: 42s, 3m, 5h, 2d."""
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f}{unit}"
    return f"{max(seconds, 0):.0f}s"


def document(value: Any) -> str:
    """An output that is no text, as JSON for people."""
    return json.dumps(value, ensure_ascii=False, indent=2)
