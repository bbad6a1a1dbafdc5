"""Idempotency keys: which run a client's key already stands for, so that a start sent twice is one run.

The key is journalled by the transaction that adds the run, and refused starts write nothing: so twins, through
whichever facades and across a crash of any process, find either the one run or none.
"""

from .journal.writer import Writer
from .messages.answers import Refusal, RunAccepted
from .messages.commands import StartRun

KEPT_S = 86_400.0


class Replays:
    """The keys of every owner. `now` below is Unix seconds."""

    def __init__(self, journal: Writer) -> None:
        self._journal = journal

    def answer(self, start: StartRun, now: float) -> RunAccepted | Refusal | None:
        """What a start whose key is known is answered; None: it is to be started."""
        if start.idempotency_key is None:
            return None
        noted = self._journal.noted_key(start.owner, start.idempotency_key, now - KEPT_S)
        if noted is None:
            return None
        if noted.body == start.body_hash:
            return RunAccepted(start.id, noted.run_id, replayed=True)
        message = "this Idempotency-Key was used with another body; send that body again, or take a new key"
        return Refusal(start.id, "idempotency_key_conflict", message, param="Idempotency-Key")

    def note(self, start: StartRun, run_key: int, now: float) -> None:
        """The run was added; its key stands for it from now on. Also lets go of some that have expired."""
        if start.idempotency_key is not None:
            self._journal.drop_keys(now - KEPT_S)
            self._journal.note_key(start.owner, start.idempotency_key, run_key, start.body_hash, now)
