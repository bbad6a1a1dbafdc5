"""When a run gets its credit back, and what it gets where the disk is short of room."""

import os
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from runward.actors.credit import TO_OBEY, Credit
from runward.actors.room import LOOK_EVERY_S, Room

from .houses import FakeHouse, FakeRoom

MOST = 4


class Given:
    """A credit, and how often it was given back: at once, as if every batch were a turn."""

    def __init__(self, short: bool = False) -> None:
        self.room = cast(Any, FakeRoom())
        self.room.short = short
        self.times = 0
        self.credit = Credit(MOST, self.room)

    def give(self) -> None:
        self.times += 1
        self.credit.given()


def take_all(given: Given, bound: int = 1000) -> int:
    """How many batches come before there is no credit left."""
    for count in range(bound):
        if not given.credit.is_left:
            return count
        given.credit.take(given.give)
    return bound


def test_half_of_it_is_given_back_at_a_time() -> None:
    given = Given()
    for _ in range(MOST):
        given.credit.take(given.give)
    assert given.times == 2
    assert take_all(given) == 1000


def test_where_there_is_no_room_a_run_waits_at_the_end_of_its_credit() -> None:
    given = Given(short=True)
    assert (take_all(given), given.times) == (MOST, 0)


def test_it_goes_on_once_when_there_is_room_again() -> None:
    given = Given(short=True)
    take_all(given)
    given.room.make()
    assert given.times == 1
    assert take_all(given) == 1000


def test_a_run_that_is_stopped_has_a_little_to_spare_and_no_more() -> None:
    given = Given(short=True)
    take_all(given)
    given.credit.spare(TO_OBEY, given.give)
    assert given.times == 1
    assert take_all(given) < TO_OBEY * MOST
    assert given.times == TO_OBEY
    assert not given.credit.is_left


def test_what_is_spared_on_one_rung_is_there_on_the_next() -> None:
    given = Given(short=True)
    given.credit.spare(1, given.give)
    given.credit.spare(2, given.give)
    take_all(given)
    assert given.times == 3


def test_where_there_is_room_nothing_is_spared() -> None:
    given = Given()
    given.credit.spare(1, given.give)
    assert given.times == 0
    assert take_all(given) == 1000
    given.room.short = True
    take_all(given)
    given.room.make()
    assert given.credit.is_left


@pytest.fixture
def house() -> FakeHouse:
    return FakeHouse()


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The bytes that are free, which a test may change."""
    found = [100]

    class Found:
        f_frsize = 1

        @property
        def f_bavail(self) -> int:
            return found[0]

    monkeypatch.setattr(os, "statvfs", lambda _: Found())
    return found


def test_room_is_short_below_the_reserve_and_looked_at_once_a_second_while_there_is_some(
    house: FakeHouse, free: list[int], tmp_path: Path
) -> None:
    room = Room(str(tmp_path), 100, house)
    assert not room.is_short()
    free[0] = 99
    assert not room.is_short()
    house.pass_time(LOOK_EVERY_S)
    assert room.is_short()
    free[0] = 100
    assert not room.is_short()


def test_who_waits_for_room_is_called_once_when_it_is_there(
    house: FakeHouse, free: list[int], tmp_path: Path
) -> None:
    room, called = Room(str(tmp_path), 100, house), list[str]()
    free[0] = 0
    assert room.is_short()
    for name in ("a", "b"):
        room.wait(partial(called.append, name))
    house.pass_time(3 * LOOK_EVERY_S)
    assert called == []
    free[0] = 100
    for _ in range(3):
        house.pass_time(LOOK_EVERY_S)
    assert called == ["a", "b"]
