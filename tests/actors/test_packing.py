"""What lies where in a process that fills its gaps before it forks."""

from typing import Any

from runward.actors.packing import fill_gaps

from .forks import in_a_fork

LENGTHS = (20, 100, 300, 450)


def pages_of(made: list[bytes]) -> int:
    return len({id(each) // 4096 for each in made})


def test_what_is_made_after_the_gaps_are_filled_lies_together() -> None:
    def spread_before_and_after() -> list[Any]:
        left = [[bytes(length) for _ in range(5_000)] for length in LENGTHS]
        for each in left:
            del each[::150]  # a gap here and there
        scattered = [pages_of([bytes(length) for _ in range(20)]) for length in LENGTHS]
        for each in left:
            del each[::149]
        filling = fill_gaps()
        together = [pages_of([bytes(length) for _ in range(20)]) for length in LENGTHS]
        return [scattered, together, len(filling)]

    scattered, together, _ = in_a_fork(spread_before_and_after)
    assert sum(together) <= 3 * len(LENGTHS)
    assert sum(scattered) >= 10 * len(LENGTHS)
