"""Runs are let in while there is memory for them, and as soon as there is again."""

import pytest

from runward.actors import procfs
from runward.actors.memory_gate import LOOK_EVERY_S, RUN_BYTES, TRY_AGAIN_S, MemoryGate

from .houses import FakeHouse

FLOOR = 100 * RUN_BYTES


class Machine(FakeHouse):
    """With memory as a test says; counts how often it was looked at, and how often the gate opened."""

    def __init__(self, available: int | None = FLOOR, floor: int = FLOOR) -> None:
        super().__init__()
        self.available = available
        self.looks = self.opened = 0
        self.gate = MemoryGate(floor, self.clock, self.after, self.opens, self.look)

    def look(self) -> int | None:
        self.looks += 1
        return self.available

    def opens(self) -> None:
        self.opened += 1


@pytest.mark.parametrize(
    ("surplus", "room"),
    [(-1, 0), (0, 1), (RUN_BYTES - 1, 1), (RUN_BYTES, 2), (50 * RUN_BYTES, 51)],
)
def test_so_many_are_let_in(surplus: int, room: int) -> None:
    assert Machine(FLOOR + surplus).gate.room() == room


def test_without_a_floor_nobody_looks() -> None:
    machine = Machine(0, floor=0)
    assert (machine.gate.room(), machine.gate.why_shut(), machine.looks) == (None, None, 0)


def test_where_the_kernel_does_not_tell_nobody_is_held_up() -> None:
    machine = Machine(None)
    machine.gate.took(5)
    assert (machine.gate.room(), machine.gate.why_shut()) == (None, None)


def test_those_that_were_just_let_in_count_until_the_next_look() -> None:
    machine = Machine(FLOOR + 2 * RUN_BYTES)
    assert machine.gate.room() == 3
    machine.gate.took(2)
    assert machine.gate.room() == 1
    machine.gate.took(5)
    assert (machine.gate.room(), machine.looks, machine.opened) == (0, 1, 0)
    assert machine.gate.why_shut() is None, "there is memory"
    machine.pass_time(LOOK_EVERY_S)
    assert (machine.opened, machine.gate.room(), machine.looks) == (1, 3, 2)


def test_a_shut_gate_says_why_and_tries_again_until_it_opens() -> None:
    machine = Machine(FLOOR - 1)
    assert machine.gate.room() == machine.gate.room() == 0
    assert len(machine.timers) == 1
    said = machine.gate.why_shut()
    assert said is not None
    assert said.startswith("399 MiB of memory are available, and runs.min_available_bytes asks for 400 MiB")
    machine.pass_time(TRY_AGAIN_S)
    assert (machine.opened, machine.gate.room()) == (1, 0), "asked again, and still shut"
    machine.available = FLOOR
    machine.pass_time(TRY_AGAIN_S)
    assert (machine.opened, machine.gate.room(), machine.gate.why_shut()) == (2, 1, None)
    assert machine.timers == []


def test_this_machine_tells_what_it_has() -> None:
    available = procfs.available_bytes()
    with open("/proc/meminfo") as file:
        total_kib = int(file.readline().split()[1])
    assert available is not None
    assert 0 < available < total_kib * 1024
