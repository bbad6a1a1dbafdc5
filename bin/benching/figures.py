"""From samples to figures, and how a figure stands beside its target and its baseline. Pure."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

Samples = Sequence[float]
Verdict = Literal["then", "first", "miss"]


def percentile(samples: Samples, percent: float) -> float:
    """The smallest sample that at least `percent` of all are not above (nearest rank). Raises ValueError for none."""
    if not samples:
        raise ValueError("no samples")
    rank = math.ceil(len(samples) * percent / 100)
    return sorted(samples)[max(rank, 1) - 1]


def p50(samples: Samples) -> float:
    """The median."""
    return percentile(samples, 50)


def p99(samples: Samples) -> float:
    """What 99 % are not above."""
    return percentile(samples, 99)


REDUCTIONS: dict[str, Callable[[Samples], float]] = {"p50": p50, "p99": p99, "max": max, "sum": sum}


@dataclass(frozen=True, slots=True)
class Target:
    """What the figure must reach first, and then. `more` says that larger is better."""

    first: float
    then: float
    more: bool = False

    def verdict(self, figure: float) -> Verdict:
        """Which of the two it reaches."""
        if self._reached(figure, self.then):
            return "then"
        return "first" if self._reached(figure, self.first) else "miss"

    def _reached(self, figure: float, target: float) -> bool:
        return figure >= target if self.more else figure <= target


def ratio(figure: float, baseline: float | None) -> float | None:
    """How many times the baseline it is; None without one that is above zero."""
    return None if baseline is None or baseline <= 0 else figure / baseline
