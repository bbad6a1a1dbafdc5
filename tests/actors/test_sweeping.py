"""Which orphans the supervisor has root end, and when it is told that they are gone."""

from runward.actors.sweeping import Sweeping


class Scene:
    """What root was asked, and who was called back with which survivors."""

    def __init__(self, known: set[int]) -> None:
        self.known = known
        self.asked: list[list[int]] = []
        self.told: list[tuple[str, list[int]]] = []
        self.sweeping = Sweeping(lambda: self.known, self.asked.append)

    def sweep(self, name: str) -> None:
        self.sweeping.sweep(lambda survivors: self.told.append((name, survivors)))


def test_root_is_asked_to_end_what_agents_left_and_its_answer_is_told() -> None:
    scene = Scene(known=set())
    scene.sweep("a")
    assert (scene.asked, scene.told) == ([[]], [])
    scene.sweeping.swept([], [])
    assert (scene.asked, scene.told) == ([[]], [("a", [])])


def test_survivors_are_told() -> None:
    scene = Scene(known=set())
    scene.sweep("a")
    scene.sweeping.swept([17], [])
    assert scene.told == [("a", [17])]


def test_wardens_that_are_somebodys_live_on() -> None:
    scene = Scene(known={5, 6, 7})
    scene.sweep("a")
    scene.sweeping.swept([], [5, 6])
    assert (scene.asked, scene.told) == ([[]], [("a", [])])


def test_wardens_that_are_nobodys_are_ended_before_anybody_is_told() -> None:
    scene = Scene(known={5})
    scene.sweep("a")
    scene.sweeping.swept([], [9, 5, 8])
    assert (scene.asked, scene.told) == ([[], [8, 9]], [])
    scene.sweeping.swept([], [5])
    assert scene.told == [("a", [])]


def test_who_became_known_since_it_was_asked_for_lives_on() -> None:
    scene = Scene(known=set())
    scene.sweep("a")
    scene.known = {8}
    scene.sweeping.swept([], [8])
    assert scene.told == [("a", [])]


def test_each_is_told_its_own_answer_whoever_had_to_ask_again() -> None:
    scene = Scene(known=set())
    scene.sweep("a")
    scene.sweep("b")
    scene.sweeping.swept([], [8])
    scene.sweeping.swept([1], [])
    scene.sweeping.swept([2], [])
    assert scene.asked == [[], [], [8]]
    assert scene.told == [("b", [1]), ("a", [2])]
