"""The end of a supervisor's turn: what it decided is written, committed once, and only then told.

If the journal's disk is full, all that waits for a commit goes on waiting, in order, and the commit is tried again
now and then. Only what may not wait is done meanwhile: ending runs, and saying no.
"""

from collections.abc import Callable

from .actor import Callback, Timer
from .journal.patient import PatientWriter

RETRY_S = 0.25  # what is kept is written all over again, so not at every turn

Action = Callable[[], object]


class Turns:
    """What waits for the journal."""

    def __init__(
        self,
        journal: PatientWriter,
        write: Callback,
        committed: Callback,
        held_up: Callback,
        relieved: Callback,
        after: Callable[[float, Callback], Timer],
    ) -> None:
        """`write` puts what is to be written into the journal; the others tell of it, and may ask for more.

        `held_up` and `relieved` are called when there is no room any more, and when there is again.
        """
        self._journal = journal
        self._write = write
        self._committed = committed
        self._held_up = held_up
        self._relieved = relieved
        self._after = after
        self._waiting: list[tuple[Action, bool]] = []
        self._retry: Timer | None = None
        self._holds_out = False

    def then(self, action: Action) -> None:
        """Do it once all that was written is committed."""
        self._waiting.append((action, False))

    def at_once(self, action: Action) -> None:
        """As `then`; but if the journal is held up, at the end of this turn without it."""
        self._waiting.append((action, True))

    def end(self) -> None:
        """One commit for all that this turn decided, then everything that waited for it."""
        self._commit()
        while self._waiting and not self._journal.held_up:
            actions, self._waiting = self._waiting, []
            for action, _ in actions:
                action()
            self._commit()
        if self._journal.held_up:
            self._hold_out()

    def _commit(self) -> None:
        self._write()
        if self._retry is None and self._journal.commit():
            self._committed()

    def _hold_out(self) -> None:
        urgent = [action for action, is_urgent in self._waiting if is_urgent]
        self._waiting = [(action, False) for action, is_urgent in self._waiting if not is_urgent]
        for action in urgent:
            action()
        if self._retry is None:
            self._retry = self._after(RETRY_S, self._try_again)
        if not self._holds_out:
            self._holds_out = True
            self._held_up()

    def _try_again(self) -> None:
        """In the loop, so that the turn that called this ends with what waited."""
        self._retry = None
        self._commit()
        if not self._journal.held_up:
            self._holds_out = False
            self._relieved()
