"""What the supervisor counts, and what any of our processes can: numbers by the name of a Prometheus series. Pure.

A series is its whole name, `runward_runs_ended_total{agent="echo",status="completed"}`: so the figures of several
processes are summed by adding numbers of the same name. A histogram is such series too: one for each bucket.
Nothing here is done for an event: a turn's batch of a run costs two additions.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

from .records import RunRecord, Status

#: Series → number. What goes over the wire, and what is summed.
Series = dict[str, float]

START_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
END_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
COMMIT_S = (0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5)

_ESCAPED = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def series(name: str, **labels: str) -> str:
    """The name of one series, with its labels in the order in which they are given."""
    if not labels:
        return name
    inner = ",".join(f'{label}="{text.translate(_ESCAPED)}"' for label, text in labels.items())
    return f"{name}{{{inner}}}"


class Histogram:
    """How often something took how long, in seconds. `bounds` are the upper ends of its buckets."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        """One more. A clock that was set back makes it 0."""
        seconds = max(0.0, seconds)
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum += seconds

    def series(self, name: str, **labels: str) -> Series:
        """Its buckets, each with what is in all below it, its sum and its count."""
        ends = [*(f"{bound:g}" for bound in self._bounds), "+Inf"]
        totals = list(accumulate(self._counts))
        found: Series = {
            series(f"{name}_bucket", **labels, le=end): float(total)
            for end, total in zip(ends, totals, strict=True)
        }
        return found | {
            series(f"{name}_sum", **labels): self._sum,
            series(f"{name}_count", **labels): float(totals[-1]),
        }


class Figures:
    """What the supervisor has counted since it began."""

    def __init__(self, starts: int = 1) -> None:
        self.starts = starts  # how often this server has started a supervisor
        self.events = 0
        self.event_bytes = 0
        self.survivors = 0
        self.commit_s = Histogram(COMMIT_S)
        self._start_s = Histogram(START_S)
        self._stop_s: dict[str, Histogram] = {}  # by the rung that ended the run
        self._kill_s = Histogram(END_S)
        self._ended: Counter[tuple[str, str, str]] = Counter()
        self._restarts: Counter[str] = Counter()
        self._webhooks: Counter[str] = Counter()
        self._children: Counter[str] = Counter()
        self._refused: Counter[tuple[str, str]] = Counter()

    def wrote(self, events: int, size: int) -> None:
        """Events of one run and turn went to the journal, this many bytes."""
        self.events += events
        self.event_bytes += size

    def began(self, waited_s: float) -> None:
        """A run's agent was let go, so long after the run was asked for."""
        self._start_s.observe(waited_s)

    def restarted(self, agent: str) -> None:
        """A run is begun again."""
        self._restarts[agent] += 1

    def webhook_tried(self, result: str) -> None:
        """A webhook was told of an end, or in vain. `result`: delivered, failed (it is told again) or given_up."""
        self._webhooks[result] += 1

    def child_born(self, agent: str) -> None:
        """A run of this agent was started below another."""
        self._children[agent] += 1

    def child_refused(self, agent: str, code: str) -> None:
        """A run of this agent wished for a child, and got none; `code` says why."""
        self._refused[agent, code] += 1

    def ended(self, record: RunRecord, kill_s: float | None) -> None:
        """A run reached its end. `kill_s`: from the kill to the proof, if it was killed."""
        self._ended[record.agent, record.status, record.reason or ""] += 1
        if kill_s is not None:
            self._kill_s.observe(kill_s)
        if record.exit is None:
            return
        self.survivors += len(record.exit.survivors)
        if record.status is Status.CANCELLED and record.exit.took_ms is not None:
            rung = record.exit.rung or "none"
            self._stop_s.setdefault(rung, Histogram(END_S)).observe(record.exit.took_ms / 1000)

    def series(self) -> Series:
        """All of it."""
        found: Series = {
            series("runward_process_starts_total", process="supervisor"): float(self.starts),
            "runward_events_total": float(self.events),
            "runward_event_bytes_total": float(self.event_bytes),
            "runward_survivors_total": float(self.survivors),
            **self._start_s.series("runward_run_start_seconds"),
            **self._kill_s.series("runward_run_kill_seconds"),
            **self.commit_s.series("runward_journal_commit_seconds"),
        }
        for rung, histogram in self._stop_s.items():
            found |= histogram.series("runward_run_stop_seconds", rung=rung)
        for (agent, status, reason), count in self._ended.items():
            name = series("runward_runs_ended_total", agent=agent, status=status, reason=reason)
            found[name] = float(count)
        for agent, count in self._restarts.items():
            found[series("runward_run_restarts_total", agent=agent)] = float(count)
        for result, count in self._webhooks.items():
            found[series("runward_webhook_tries_total", result=result)] = float(count)
        for agent, count in self._children.items():
            found[series("runward_child_runs_total", agent=agent)] = float(count)
        for (agent, code), count in self._refused.items():
            found[series("runward_child_runs_refused_total", agent=agent, code=code)] = float(count)
        return found


def unended(runs: Iterable[RunRecord]) -> Series:
    """How many runs have not ended, by agent and status."""
    counted = Counter((record.agent, record.status) for record in runs)
    return {
        series("runward_runs", agent=agent, status=status): float(count)
        for (agent, status), count in counted.items()
    }


def live_children(runs: Iterable[RunRecord]) -> Series:
    """How many of them stand below another run, by agent."""
    counted = Counter(record.agent for record in runs if record.parent_run_id is not None)
    return {series("runward_live_child_runs", agent=agent): float(count) for agent, count in counted.items()}


def summed(parts: Iterable[Mapping[str, float]]) -> Series:
    """The figures of several processes as one."""
    total: Series = {}
    for part in parts:
        for name, number in part.items():
            total[name] = total.get(name, 0.0) + number
    return total
