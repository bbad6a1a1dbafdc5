"""Figures: how they are counted, named and summed."""

import pytest

from runward.actors.figures import Figures, Histogram, live_children, series, summed, unended
from runward.actors.records import Exit, Reason, RunRecord, Status
from runward.actors.reported import FRESH_S, MOST_LIVES, Reported


def a_record(**fields: object) -> RunRecord:
    return RunRecord(run_id="run_1", agent="echo", created_at=0.0, updated_at=0.0, **fields)  # type: ignore[arg-type]


def test_a_series_is_named_as_prometheus_names_it() -> None:
    assert series("a_total") == "a_total"
    assert series("a_total", agent="echo", status="failed") == 'a_total{agent="echo",status="failed"}'
    assert series("a", text='back\\slash "quoted"\nline') == 'a{text="back\\\\slash \\"quoted\\"\\nline"}'


@pytest.mark.parametrize(
    ("seconds", "buckets"),
    [(0.0, [1, 1, 1]), (1.0, [1, 1, 1]), (1.5, [0, 1, 1]), (9.0, [0, 0, 1]), (-1, [1] * 3)],
)
def test_a_duration_is_in_every_bucket_that_it_is_not_above(seconds: float, buckets: list[int]) -> None:
    histogram = Histogram((1.0, 2.0))
    histogram.observe(seconds)
    assert histogram.series("a", rung="kill") == {
        'a_bucket{rung="kill",le="1"}': buckets[0],
        'a_bucket{rung="kill",le="2"}': buckets[1],
        'a_bucket{rung="kill",le="+Inf"}': buckets[2],
        'a_sum{rung="kill"}': max(0.0, seconds),
        'a_count{rung="kill"}': 1,
    }


def test_an_end_is_counted_by_agent_status_and_reason_and_its_stop_by_its_rung() -> None:
    figures = Figures()
    receipt = Exit(rung="kill", took_ms=20.0, survivors=[7, 8])
    figures.ended(a_record(status=Status.CANCELLED, reason=Reason.KILLED, exit=receipt), 0.015)
    figures.ended(a_record(status=Status.COMPLETED, reason=Reason.COMPLETED, exit=Exit()), None)
    counted = figures.series()
    assert counted['runward_runs_ended_total{agent="echo",status="cancelled",reason="killed"}'] == 1
    assert counted['runward_runs_ended_total{agent="echo",status="completed",reason="completed"}'] == 1
    assert counted['runward_run_stop_seconds_bucket{rung="kill",le="0.01"}'] == 0
    assert counted['runward_run_stop_seconds_bucket{rung="kill",le="0.02"}'] == 1
    assert counted["runward_run_kill_seconds_count"] == 1
    assert counted["runward_survivors_total"] == 2


def test_webhooks_and_children_are_counted_by_what_came_of_them() -> None:
    figures = Figures()
    for result in ("failed", "failed", "delivered"):
        figures.webhook_tried(result)
    figures.child_born("leaf")
    figures.child_refused("tree", "tree_full")
    counted = figures.series()
    assert counted['runward_webhook_tries_total{result="failed"}'] == 2
    assert counted['runward_webhook_tries_total{result="delivered"}'] == 1
    assert counted['runward_child_runs_total{agent="leaf"}'] == 1
    assert counted['runward_child_runs_refused_total{agent="tree",code="tree_full"}'] == 1


def test_of_those_that_live_only_children_are_counted_as_such() -> None:
    runs = [a_record(), a_record(parent_run_id="run_0"), a_record(parent_run_id="run_1")]
    assert live_children(runs) == {'runward_live_child_runs{agent="echo"}': 2}


def test_what_has_not_ended_is_counted_by_its_status() -> None:
    runs = [a_record(), a_record(), a_record(status=Status.RUNNING)]
    assert unended(runs) == {
        'runward_runs{agent="echo",status="queued"}': 2,
        'runward_runs{agent="echo",status="running"}': 1,
    }


def test_a_sum_has_what_any_has() -> None:
    assert summed([{"a": 1, "b": 2}, {}, {"b": 3, "c": 4}]) == {"a": 1, "b": 5, "c": 4}


def test_the_newest_report_of_a_life_counts_and_those_of_lives_that_are_over_stay_counted() -> None:
    reported = Reported()
    reported.take("one", {"asked": 1}, {"open": 5}, now=0.0)
    reported.take("one", {"asked": 3}, {"open": 4}, now=1.0)
    reported.take("two", {"asked": 10}, {"open": 1}, now=1.0)
    assert reported.series(1.0) == {"asked": 13, "open": 5}
    reported.take("two", {"asked": 11}, {"open": 2}, now=FRESH_S + 1)
    assert reported.series(FRESH_S + 1) == {"asked": 14, "open": 2}


def test_what_a_facade_had_is_what_the_one_in_its_place_has() -> None:
    reported = Reported()
    reported.take("facade 1/a", {"asked": 1}, {"open": 5}, now=0.0)
    reported.take("facade 2/b", {"asked": 1}, {"open": 1}, now=0.0)
    reported.take("facade 1/c", {"asked": 1}, {"open": 2}, now=0.1)
    assert reported.series(0.2) == {"asked": 3, "open": 3}


def test_however_many_facades_came_and_went_nothing_that_they_counted_is_lost() -> None:
    reported = Reported()
    for life in range(MOST_LIVES * 2):
        reported.take(f"life {life}", {"asked": 1}, {}, now=float(life))
    assert reported.series(0.0) == {"asked": MOST_LIVES * 2}
