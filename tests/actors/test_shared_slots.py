"""Slots of parents and their children: nobody who holds one waits for ever for another."""

from runward.actors.admission import Caps, InSession
from runward.actors.live_run import LiveRun
from runward.actors.register import Register

from .test_register import a_run

NO_SESSION = InSession()


def _register(max_live: int = 1, **caps: dict[str, int]) -> Register:
    return Register(Caps(max_live=max_live, **caps))  # type: ignore[arg-type]


def _entered(register: Register, number: int, parent: int | None = None, agent: str = "a") -> LiveRun:
    run = a_run(number, agent, parent_run_id=None if parent is None else f"run_{parent}")
    register.enter(run)
    return run


def _admitted(register: Register) -> list[str]:
    return [run.record.run_id for run in register.admit()]


def test_one_child_of_each_run_needs_no_slot() -> None:
    register = _register()
    _entered(register, 1)
    assert _admitted(register) == ["run_1"]
    assert register.begins_at_once("", "a", NO_SESSION, "run_1")
    assert not register.begins_at_once("", "a", NO_SESSION)
    first, _second = _entered(register, 2, parent=1), _entered(register, 3, parent=1)
    _entered(register, 4)
    assert _admitted(register) == ["run_2"]
    assert _admitted(register) == []
    register.leave(first)
    assert _admitted(register) == ["run_3"]


def test_a_line_of_descendants_needs_one_slot_and_gives_it_back() -> None:
    register = _register()
    line = []
    for number in range(1, 5):
        line.append(_entered(register, number, parent=number - 1 or None))
        assert _admitted(register) == [f"run_{number}"]
    _entered(register, 9)
    for run in reversed(line):
        assert _admitted(register) == []
        register.leave(run)
    assert _admitted(register) == ["run_9"]


def test_other_children_wait_for_slots_like_anybody() -> None:
    register = _register(max_live=2)
    _entered(register, 1)
    for number in (2, 3, 4):
        _entered(register, number, parent=1)
    assert _admitted(register) == ["run_1", "run_2", "run_3"]


def test_a_supervisor_that_comes_after_counts_them_alike() -> None:
    register = _register(max_live=2)
    for number, parent in ((1, None), (2, 1), (3, 2)):
        register.readmit(a_run(number, parent_run_id=None if parent is None else f"run_{parent}"))
    _entered(register, 4)
    _entered(register, 5)
    assert _admitted(register) == ["run_4"]


def test_the_cap_of_an_agent_holds_for_children_too() -> None:
    register = _register(max_live=9, of_agent={"b": 1})
    _entered(register, 1)
    for number in (2, 3):
        _entered(register, number, parent=1, agent="b")
    assert _admitted(register) == ["run_1", "run_2"]
