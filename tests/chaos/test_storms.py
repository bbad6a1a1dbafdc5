"""Processes of ours are killed at random moments under live runs and readers, and nothing that was accepted is lost.

The seed is new each time, and printed; CHAOS_SEED repeats one (the moments are those of the machine, though).
"""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ..support.rungs import skip_unless_held
from .storms import RESTART, Damage, Storm, blow

RUNGS = ["pidns", pytest.param("uid", marks=pytest.mark.slow), "subreaper"]
ROLES = ["supervisor", "facade", "warden", "zygote", "agent"]


def _check(damage: Damage, record: Callable[[str, object], None]) -> None:
    sys.stdout.write(
        f"{damage.shots} shots, {damage.runs} runs, {damage.breaks} broken streams, "
        f"silence p50 {damage.silence_s(0.5):.3f} p99 {damage.silence_s(0.99):.3f} s\n"
    )
    record("silence_p99_s", round(damage.silence_s(0.99), 3))
    assert not damage.faults, "\n".join(damage.faults[:20])


# ── in the quick check ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_short_storm_over_all_roles_loses_nothing(
    tmp_path: Path, seed: int, record_property: Callable[[str, object], None]
) -> None:
    storm = Storm(ROLES, shots=12, readers=6, seed=seed, longest_run_s=1.5, after_stops=True)
    _check(blow(storm, tmp_path), record_property)


@pytest.mark.parametrize("rung", RUNGS)
def test_a_supervisor_that_is_shot_again_and_again_keeps_every_run(
    tmp_path: Path, seed: int, rung: str, record_property: Callable[[str, object], None]
) -> None:
    storm = Storm(
        ["supervisor"], shots=5, readers=6, seed=seed, rung=skip_unless_held(rung), longest_run_s=1.5
    )
    _check(blow(storm, tmp_path), record_property)


# ── in the long one ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("role", [*ROLES, "mixed"])
def test_a_hundred_shots_under_twenty_runs_and_readers_lose_nothing(
    tmp_path: Path, seed: int, role: str, rung: str, record_property: Callable[[str, object], None]
) -> None:
    roles = ROLES if role == "mixed" else [role]
    after_stops = role in ("supervisor", "mixed")
    held = skip_unless_held(rung)
    _check(blow(Storm(roles, 100, 20, seed, held, after_stops=after_stops), tmp_path), record_property)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("roles", [[RESTART], [RESTART, *ROLES]], ids=["alone", "mixed"])
def test_restarts_in_place_under_twenty_runs_and_readers_lose_nothing(
    tmp_path: Path, seed: int, roles: list[str], rung: str, record_property: Callable[[str, object], None]
) -> None:
    storm = Storm(
        roles, 30, 20, seed, skip_unless_held(rung), longest_pause_s=2.0, after_stops=len(roles) > 1
    )
    _check(blow(storm, tmp_path), record_property)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_while_a_supervisor_is_replaced_streams_are_silent_for_less_than_a_second(
    tmp_path: Path, seed: int, record_property: Callable[[str, object], None]
) -> None:
    damage = blow(Storm(["supervisor"], 100, 20, seed, lets_recover=True), tmp_path)
    _check(damage, record_property)
    assert damage.silence_s(0.99) < 1.0
