"""`/metrics`: who may see it, and that it is what Prometheus reads."""

import os

import pytest

from runward.http import metrics, processes

from ..support.figures import Figures
from .fake_supervisor import FakeSupervisor
from .running_facade import Running


@pytest.mark.parametrize(("name", "status"), [("olga", 200), ("eve", 200), ("alice", 403), (None, 401)])
async def test_who_may_see_all_runs_may_see_the_figures(
    facade: Running, name: str | None, status: int
) -> None:
    answer = await facade.ask("GET", "/metrics", name)
    assert answer.status == status
    if status == 200:
        assert answer.headers["Content-Type"] == metrics.CONTENT_TYPE


async def test_answers_are_counted_by_route_and_never_by_what_was_asked_for(facade: Running) -> None:
    for path in ("/v1/runs/run_1", "/v1/runs/run_2", "/secret", "/health"):
        await facade.ask("GET", path)
    await facade.ask("TRACE", "/health")
    text = (await facade.ask("GET", "/metrics")).body.decode()
    figures, name = Figures(text), "runward_http_requests_total"
    assert figures.of(name, method="GET", route="/v1/runs/{run_id}", status="404") == 2
    assert figures.of(name, route="other", status="404") == 1
    assert figures.of(name, method="other", status="405") == 1
    assert figures.of(name, route="/health", status="200") == 1
    assert "secret" not in text
    assert "TRACE" not in text


async def test_without_a_supervisor_it_says_so(facade: Running, supervisor: FakeSupervisor) -> None:
    assert (await facade.ask("GET", "/metrics")).status == 200
    supervisor.silent = True
    answer = await facade.ask("GET", "/metrics")
    assert Figures(answer.body.decode()).of("runward_up") == 0


def test_every_family_has_its_kind_and_only_its_own_series() -> None:
    text = metrics.exposition(
        {
            "runward_up": 1.0,
            'runward_run_stop_seconds_bucket{rung="kill",le="+Inf"}': 2.0,
            'runward_run_stop_seconds_count{rung="kill"}': 2.0,
            'runward_run_stop_seconds_sum{rung="kill"}': 0.25,
            "nobody_knows_total": 1.0,
        }
    )
    assert "nobody_knows" not in text
    families = {family.name: family for family in Figures(text).families}
    assert families["runward_up"].type == "gauge"
    assert families["runward_run_stop_seconds"].type == "histogram"
    assert len(families["runward_run_stop_seconds"].samples) == 3
    assert text.endswith('runward_run_stop_seconds_sum{rung="kill"} 0.25\n')


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("runward: superv", "supervisor"),
        ("runward: spare", "warden"),
        ("runward: agent", None),
        ("bash", None),
    ],
)
def test_a_process_is_known_by_its_title(name: str, role: str | None) -> None:
    assert processes.role_of(name) == role


def test_what_a_process_uses_is_seen() -> None:
    used = processes.used(os.getpid())
    assert used['runward_processes{role="root"}'] == 1
    assert used['runward_process_resident_memory_bytes{role="root"}'] > 1_000_000
    assert used['runward_process_cpu_seconds_total{role="root"}'] > 0
