"""The end of a turn: what waits for the journal, and what does not while that is held up."""

from collections.abc import Callable
from typing import Any

from runward.actors.turns import RETRY_S, Turns

from .loops import Clock, Recorder


class Journal:
    """Has room, or not. `log` is what was written and committed."""

    def __init__(self, log: list[object]) -> None:
        self.has_room = True
        self.held_up = False
        self.wrote = False
        self._log = log

    def commit(self) -> bool:
        self.held_up = not self.has_room
        committed, self.wrote = self.wrote and self.has_room, self.wrote and not self.has_room
        if committed:
            self._log.append("committed")
        return committed


class House:
    """An actor whose turns end as a supervisor's."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.actor = Recorder(self.clock)
        self.log = self.actor.log
        self.journal = Journal(self.log)
        journal: Any = self.journal
        told = self.note("told"), self.note("held up"), self.note("relieved")
        self.turns = Turns(journal, self._write, *told, self.actor.after)

    def note(self, what: str) -> Callable[[], None]:
        return self.actor.note(what)

    def _write(self) -> None:
        self.journal.wrote = True

    def pass_time(self, seconds: float) -> None:
        self.clock.time_s += seconds
        self.actor.turn_at_once()
        self.turns.end()

    def close(self) -> "House":
        self.actor.close()
        return self


def test_nothing_is_done_before_the_commit() -> None:
    house = House()
    house.turns.then(house.note("one"))
    house.turns.at_once(house.note("two"))
    assert house.log == []
    house.turns.end()
    assert house.log == ["committed", "told", "one", "two", "committed", "told"]
    house.close()


def test_while_the_journal_is_held_up_only_what_may_not_wait_is_done_and_the_rest_keeps_its_order() -> None:
    house = House()
    house.journal.has_room = False
    house.turns.then(house.note("one"))
    house.turns.at_once(house.note("urgent"))
    house.turns.then(house.note("two"))
    house.turns.end()
    assert house.log == ["urgent", "held up"]
    house.turns.then(house.note("three"))
    house.turns.at_once(house.note("urgent too"))
    house.turns.end()
    assert house.log == ["urgent", "held up", "urgent too"]
    house.journal.has_room = True
    house.pass_time(RETRY_S)
    assert house.log[3:] == [
        "committed",
        "told",
        "relieved",
        "committed",
        "told",
        "one",
        "two",
        "three",
        *house.log[-2:],
    ]
    house.close()


def test_a_full_disk_is_not_tried_at_every_turn() -> None:
    house = House()
    house.journal.has_room = False
    house.turns.end()
    house.journal.has_room = True
    house.turns.end()
    assert house.log == ["held up"]
    house.pass_time(RETRY_S / 2)
    assert house.log == ["held up"]
    house.pass_time(RETRY_S)
    assert house.log[1:4] == ["committed", "told", "relieved"]
    house.close()
