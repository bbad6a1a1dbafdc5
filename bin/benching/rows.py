"""The rows of the table: which load, against which servers, and which figures with which targets."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .figures import Target

FULL = "full"  # every wall that this machine allows
SUBREAPER = "subreaper"  # processes without namespaces
THREADS = "threads"  # the baseline: no process for a run


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a row: how it is made of samples, and what it must reach, by server."""

    label: str
    samples: str
    reduction: str
    unit: str
    targets: Mapping[str, Target] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """One load. `rounds`: it is done so many times, the servers in turn, so that noise falls on all of them.

    `details`: samples that are told under the table, by what comes after the dot in their names.
    """

    name: str
    what: str
    job: str
    figures: tuple[Figure, ...]
    sizes: Mapping[str, float]
    quick: Mapping[str, float]
    servers: tuple[str, ...] = (FULL, THREADS)
    rounds: int = 2
    details: tuple[str, ...] = ()
    long: bool = False  # only when it is asked for


def _full(first: float, then: float, *, more: bool = False) -> dict[str, Target]:
    return {FULL: Target(first, then, more)}


ROWS = (
    Row(
        "trivial",
        "trivial run, POST to run.completed, one at a time",
        "trivial",
        (
            Figure("p50", "ms", "p50", "ms", _full(15, 6)),
            Figure("p99", "ms", "p99", "ms", _full(30, 12)),
        ),
        {"count": 250, "warm_up": 10},
        {"count": 15, "warm_up": 2},
        servers=(FULL, SUBREAPER, THREADS),
        rounds=4,
        details=("cpu_ms", "hop_ms"),
    ),
    Row(
        "parallel",
        "trivial runs, 16 at a time",
        "at_once",
        (Figure("runs per second", "per_s", "p50", "/s", _full(120, 200, more=True)),),
        {"count": 500, "width": 16},
        {"count": 32, "width": 16},
        servers=(FULL, SUBREAPER, THREADS),
        rounds=3,
        details=("cpu_ms",),
    ),
    Row(
        "flood",
        "events of one run in a tight loop to one client, journalled",
        "flood",
        (Figure("events per second", "per_s", "p50", "/s", _full(150_000, 500_000, more=True)),),
        {"count": 300_000},
        {"count": 10_000},
        rounds=3,
        details=("cpu_us",),
    ),
    Row(
        "streams",
        "20 runs at 200 events/s to 20 clients",
        "streams",
        (
            Figure("CPU of our processes", "cores.ours", "p50", "cores", _full(1.7, 1.0)),
            Figure("delay, p50", "delay_ms", "p50", "ms"),
            Figure("delay, p99", "delay_ms", "p99", "ms", _full(50, 30)),
        ),
        {"runs": 20, "per_s": 200, "clients": 1, "warm_s": 2, "window_s": 8},
        {"runs": 2, "per_s": 50, "clients": 1, "warm_s": 1, "window_s": 1},
        details=("cores",),
    ),
    Row(
        "fanout",
        "one run at 1,000 events/s to 100 clients",
        "streams",
        (
            Figure("CPU of our processes", "cores.ours", "p50", "cores", _full(1.5, 0.7)),
            Figure("delay, p50", "delay_ms", "p50", "ms"),
            Figure("delay, p99", "delay_ms", "p99", "ms", _full(100, 50)),
        ),
        {"runs": 1, "per_s": 1000, "clients": 100, "warm_s": 2, "window_s": 8},
        {"runs": 1, "per_s": 100, "clients": 5, "warm_s": 1, "window_s": 1},
        details=("cores",),
    ),
    Row(
        "burns",
        "two runs that each burn 2 s of CPU",
        "burns",
        (
            Figure("wall", "wall_s", "p50", "s", _full(2.3, 2.05)),
            Figure("/health meanwhile, p99", "health_ms", "p99", "ms", _full(20, 5)),
        ),
        {"runs": 2, "seconds": 2, "per_s": 50},
        {"runs": 2, "seconds": 0.3, "per_s": 50},
        rounds=3,
    ),
    Row(
        "stops",
        "cooperative stop",
        "stops",
        (
            Figure("POST to interrupt called, p99", "called_ms", "p99", "ms", _full(10, 5)),
            Figure("POST to interrupt called, p50", "called_ms", "p50", "ms"),
            Figure("POST to the end of the stream, p50", "ended_ms", "p50", "ms"),
        ),
        {"count": 60},
        {"count": 5},
        servers=(FULL, SUBREAPER, THREADS),
    ),
    Row(
        "kills",
        "kill of an agent that spins and ignores signals",
        "kills",
        (
            Figure(
                "rung to proof, p99",
                "proof_ms",
                "p99",
                "ms",
                {FULL: Target(20, 10), SUBREAPER: Target(100, 50)},
            ),
            Figure("POST to the end of the stream, p50", "ended_ms", "p50", "ms"),
            Figure("survivors", "survivors", "sum", "", {FULL: Target(0, 0), SUBREAPER: Target(0, 0)}),
        ),
        {"count": 60, "pids": 1, "seconds": 10, "grow_s": 0},
        {"count": 3, "pids": 1, "seconds": 10, "grow_s": 0},
        servers=(FULL, SUBREAPER),
    ),
    Row(
        "bombs",
        "kill of a fork bomb of 120 processes",
        "kills",
        (
            Figure(
                "rung to proof, p99",
                "proof_ms",
                "p99",
                "ms",
                {FULL: Target(100, 60), SUBREAPER: Target(1000, 600)},
            ),
            Figure("POST to the end of the stream, p50", "ended_ms", "p50", "ms"),
            Figure("processes alive at the kill, p50", "processes", "p50", ""),
            Figure("survivors", "survivors", "sum", "", {FULL: Target(0, 0), SUBREAPER: Target(0, 0)}),
        ),
        {"count": 15, "pids": 120, "seconds": 10, "grow_s": 0.3},
        {"count": 2, "pids": 20, "seconds": 10, "grow_s": 0.1},
        servers=(FULL, SUBREAPER),
    ),
    Row(
        "commands",
        "`runward stop --grace 0` of an agent that spins, beyond the interpreter's own start",
        "commands",
        (
            Figure("command to proof, p99", "proof_ms", "p99", "ms", _full(150, 100)),
            Figure("command to proof, p50", "proof_ms", "p50", "ms"),
            Figure("command to its own end, p50", "receipt_ms", "p50", "ms"),
            Figure("the interpreter alone, p50", "interpreter_ms", "p50", "ms"),
        ),
        {"count": 20, "seconds": 20},
        {"count": 2, "seconds": 20},
        servers=(FULL,),
    ),
    Row(
        "idle",
        "live idle runs at once",
        "idle",
        (
            Figure("extra memory per run (USS), all our processes", "all_mib", "p50", "MiB", _full(6, 4)),
            Figure("CPU of all of them", "idle_cores.ours", "p50", "cores"),
            Figure("time to start them all", "started_s", "p50", "s"),
            Figure("time to stop them all", "ended_s", "p50", "s"),
        ),
        {"runs": 200, "watch_s": 5},
        {"runs": 10, "watch_s": 1},
        rounds=1,
        details=("mib_per_run",),
    ),
    Row(
        "growth",
        "memory of our processes after 10,000 runs against after 1,000",
        "growth",
        (Figure("growth", "percent", "p50", "%", _full(5, 1)),),
        {"few": 1000, "many": 10_000},
        {"few": 50, "many": 100},
        rounds=1,
        details=("mib_few", "mib_many"),
        long=True,
    ),
)
