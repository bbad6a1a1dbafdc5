"""A user for each live run: none that somebody lives under, whoever that is."""

import pytest

from runward.actors.run_users import LOOK_AGAIN_S, RunUsers

from .containment.nobody import needs_root
from .containment.test_users import UID, a_process_of
from .loops import Clock, Recorder

pytestmark = [pytest.mark.usefixtures("nothing_left"), needs_root]


def test_a_user_of_a_run_that_goes_on_is_its_own() -> None:
    actor = Recorder(Clock())
    users = RunUsers(actor, UID, UID + 9)
    users.take_over([UID, UID + 1], by_user=False)
    assert users.take() == UID + 2
    assert users.take(UID + 1) == UID + 1
    actor.close()


def test_who_outlived_a_kill_keeps_the_user_of_a_run_that_has_ended_until_it_is_gone() -> None:
    clock = Clock()
    actor = Recorder(clock)
    users = RunUsers(actor, UID, UID + 9)
    with a_process_of(UID, lambda: None):
        users.take_over([], by_user=False)
        assert users.take() == UID + 1
        clock.time_s += LOOK_AGAIN_S
        actor.turn_at_once()
        assert users.take() == UID + 2
    clock.time_s += LOOK_AGAIN_S
    actor.turn_at_once()
    assert users.take() == UID
    actor.close()
