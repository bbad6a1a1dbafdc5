"""The rows of the table: which load, against which servers, and which figures with which targets."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .figures import Target

FULL = "full"  # every wall that this machine allows
SUBREAPER = "subreaper"  # processes without namespaces
THREADS = "threads"  # the baseline: no process for a run


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a row: how it is made of samples, and what it must reach on the full server, or on `server`."""

    label: str
    samples: str
    reduction: str
    unit: str
    target: Target | None = None
    server: str = FULL


@dataclass(frozen=True, slots=True)
class Row:
    """One load. `rounds`: it is done so many times, the servers in turn, so that noise falls on all of them."""

    name: str
    what: str
    job: str
    figures: tuple[Figure, ...]
    sizes: Mapping[str, float]
    quick: Mapping[str, float]
    servers: tuple[str, ...] = (FULL, THREADS)
    rounds: int = 2
    cpu: tuple[str, ...] = field(default=())  # samples of CPU by role


ROWS = (
    Row(
        "trivial",
        "trivial run, POST to run.completed, one at a time",
        "trivial",
        (
            Figure("p50", "ms", "p50", "ms", Target(15, 6)),
            Figure("p99", "ms", "p99", "ms", Target(30, 12)),
            Figure("POST to 202, p50", "accepted_ms", "p50", "ms"),
        ),
        {"count": 250, "warm_up": 10},
        {"count": 15, "warm_up": 2},
        servers=(FULL, SUBREAPER, THREADS),
        rounds=4,
        cpu=("cpu_ms",),
    ),
    Row(
        "parallel",
        "trivial runs, 16 at a time",
        "at_once",
        (Figure("runs per second", "per_s", "p50", "/s", Target(120, 200, more=True)),),
        {"count": 500, "width": 16},
        {"count": 32, "width": 16},
        servers=(FULL, SUBREAPER, THREADS),
        cpu=("cpu_ms",),
    ),
    Row(
        "flood",
        "events of one run in a tight loop to one client, journalled",
        "flood",
        (Figure("events per second", "per_s", "p50", "/s", Target(150_000, 500_000, more=True)),),
        {"count": 300_000},
        {"count": 10_000},
        rounds=3,
        cpu=("cpu_us",),
    ),
)
