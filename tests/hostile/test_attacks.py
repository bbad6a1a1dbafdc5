"""No hostile program gets what it wants, but for what `outcomes.txt` says: seen from outside, at each place."""

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from ..support.leaks import short_folder
from ..support.waiting import until
from .houses import ORDINARY_UID, PLACES, column, house
from .scene import AGENTS, ELSEWHERE, Listening, Neighbour, Scene
from .seeing import Done, got_it
from .table import NO, NOT_YET, YES, Attack, attacks

ROUGH = (
    *("kills", "kills_its_warden", "stops_its_warden"),
    *("fills_every_descriptor", "forges_events", "leaves_its_cgroup"),
    "is_answered_by_the_supervisor",  # a library that may abort
)
PATIENCE_S = 3.0  # for a run whose warden may have been hurt


@pytest.fixture(scope="module", params=PLACES)
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    place = request.param
    with ExitStack() as stack:
        server = stack.enter_context(house(place, tmp_path_factory, {"agents": AGENTS}))
        user = ORDINARY_UID if place[0] == "ordinary" else os.geteuid()
        outside = stack.enter_context(
            short_folder()
        )  # beside what an agent is declared in, which it may read
        listening = stack.enter_context(closing(Listening(outside)))
        found = Scene(server, column(place), outside, listening)
        if os.geteuid() == 0:
            stack.enter_context(elsewhere(found.cgroup / ELSEWHERE, user))
        for path in (outside, *outside.iterdir()):
            os.chown(path, user, user)
        stack.callback(found.tidy)
        found.outcomes = outcomes(found)
        yield found


@contextmanager
def elsewhere(folder: Path, user: int) -> Iterator[None]:
    """A cgroup of this user's, beside those of runs."""
    folder.mkdir()
    for path in (folder, folder / "cgroup.procs"):
        os.chown(path, user, user)
    try:
        yield
    finally:
        folder.rmdir()


@pytest.mark.parametrize("attack", attacks(), ids=lambda attack: attack.title)
def test_it_comes_to_what_the_table_says(
    scene: Scene, attack: Attack, request: pytest.FixtureRequest
) -> None:
    required = attack.outcomes[scene.column]
    if required == NOT_YET:
        request.applymarker(pytest.mark.xfail(strict=True, reason="not held yet, says outcomes.txt"))
        required = NO
    outcome, said = scene.outcomes[attack.title]
    assert outcome == required, said


def outcomes(scene: Scene) -> dict[str, tuple[str, str]]:
    """Title → yes or no, and what was said. Who may end by what it does has a run of its own."""
    every = attacks()
    gentle = [attack for attack in every if attack.deed not in ROUGH]
    found: dict[str, tuple[str, str]] = {}
    for batch in [gentle, *([attack] for attack in every if attack.deed in ROUGH)]:
        neighbour = Neighbour(scene.server)
        scene.leave_private_files()
        try:
            for done, why in attacked(scene, batch, neighbour):
                found[f"{done.deed}-{done.against}"] = (YES if got_it(done) else NO, why)
            scene.check_unhurt()
            assert neighbour.lives or batch[0].deed in ("kills", "forges_events")
        finally:
            neighbour.end()
            scene.check_nobody_left()
    return found


def attacked(scene: Scene, batch: list[Attack], neighbour: Neighbour) -> Iterator[tuple[Done, str]]:
    """Let them be done in one run. One that does not end by itself is killed."""
    client = scene.server.client
    asked = {
        each.title: {"deed": each.deed, **scene.given(each.deed, each.against, neighbour)} for each in batch
    }
    run_id = client.start("attacker", json.dumps(asked))
    try:
        until(lambda: client.run(run_id)["ended_at"], PATIENCE_S, "its end")
    except AssertionError:
        client.kill(run_id, wait=True)
    events = client.events(run_id)
    run = client.run(run_id)
    for each in batch:
        said = (run["output"] or {}).get(each.title, {"got": None, "why": run["error"]})
        given = asked[each.title]
        done = Done(scene, each.deed, neighbour, given, each.against, run, events, said["got"])
        yield done, said["why"]
