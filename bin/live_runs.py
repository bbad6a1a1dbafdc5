"""The runs that a command is about, by what they have in common."""

from collections.abc import Sequence
from itertools import islice

from ..http.api_client import Client
from ..http.api_types import RunFilters, RunInfo

# In the order of a run's life: one that moves on while we ask is seen twice rather than not at all.
LIVE = ("queued", "running", "waiting_for_approval", "stopping")


def live_runs(client: Client, filters: RunFilters, limit: int | None = None) -> list[RunInfo]:
    """Those that match and have not ended, newest first; at most so many."""
    return runs_of(client, LIVE, filters, limit)


def runs_of(
    client: Client, statuses: Sequence[str | None], filters: RunFilters, limit: int | None = None
) -> list[RunInfo]:
    """Those that match with one of these statuses (None: any), newest first; at most so many."""
    found: dict[str, RunInfo] = {}
    for status in statuses:
        wanted: RunFilters = {**filters, "status": status}
        found |= {run.run_id: run for run in islice(client.list(**wanted), limit)}
    return sorted(found.values(), key=lambda run: run.created_at, reverse=True)[:limit]
