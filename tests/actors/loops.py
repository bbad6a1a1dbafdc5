"""An actor that remembers what happened to it, and a clock that stands until it is moved."""

from collections.abc import Callable

from runward.actors.actor import Actor


class Clock:
    """Monotonic seconds, as a test wants them."""

    def __init__(self) -> None:
        self.time_s = 1_000.0

    def __call__(self) -> float:
        return self.time_s


class Recorder(Actor):
    """`log` is what was called, in order; `note` makes callbacks that write there."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self.log: list[object] = []

    def note(self, what: object) -> Callable[[], None]:
        return lambda: self.log.append(what)

    def turn_at_once(self) -> "Recorder":
        """A turn that waits for nothing."""
        self.after(0, lambda: None)
        self.turn()
        return self
