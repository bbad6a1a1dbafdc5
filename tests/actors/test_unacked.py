"""What a warden keeps of what it said, until it is acknowledged."""

from hypothesis import given
from hypothesis import strategies as st

from runward.actors.unacked import Unacked


def test_batches_go_with_the_number_of_their_last_event() -> None:
    unacked = Unacked(4)
    unacked.add(3, b"1-3")
    unacked.add(1, b"4")
    unacked.acked(2)
    assert unacked.bodies() == [b"1-3", b"4"]
    unacked.acked(3)
    assert (unacked.bodies(), unacked.last_n) == ([b"4"], 4)


def test_the_credit_is_used_up_by_as_many_batches_and_comes_back_with_their_acknowledgement() -> None:
    unacked = Unacked(2)
    unacked.add(10, b"a")
    assert not unacked.full
    unacked.add(1, b"b")
    assert unacked.full
    unacked.acked(10)
    assert not unacked.full


@given(st.lists(st.integers(1, 9), max_size=20), st.integers(0, 200))
def test_what_is_left_is_all_that_is_above_the_acknowledged_number(counts: list[int], n: int) -> None:
    unacked = Unacked(100)
    lasts = [sum(counts[: at + 1]) for at in range(len(counts))]
    for count, last in zip(counts, lasts, strict=True):
        unacked.add(count, b"%d" % last)
    unacked.acked(n)
    assert unacked.bodies() == [b"%d" % last for last in lasts if last > n]
