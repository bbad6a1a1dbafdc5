"""What this facade counts of itself. One addition for each answer; the rest is looked up when somebody asks."""

from collections import Counter
from uuid import uuid4

from ..actors.figures import Series, series

METHODS = frozenset({"GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH"})


class FacadeFigures:
    """Of one facade process: the `index`th, which this server has started so often. `life` is its alone."""

    def __init__(self, index: int, starts: int) -> None:
        self._name = f"facade {index}"
        self.life = f"{self._name}/{uuid4().hex}"
        self._starts = starts
        self._answers: Counter[tuple[str, str, int]] = Counter()

    def answered(self, method: str, route: str, status: int) -> None:
        """An answer is about to be sent, or the head of a stream. `route`: one of ours, or "other"."""
        self._answers[method if method in METHODS else "other", route, status] += 1

    def counters(self) -> Series:
        """Since this process began."""
        return {
            series("runward_http_requests_total", method=method, route=route, status=str(status)): float(
                count
            )
            for (method, route, status), count in self._answers.items()
        }

    def gauges(self, streams: int) -> Series:
        """As it is now. The starts are root's count, so they are no sum over lives."""
        return {
            "runward_http_streams": float(streams),
            series("runward_process_starts_total", process=self._name): float(self._starts),
        }
