"""What the writer does with intents: commands that were journalled to be carried out once."""

from typing import NamedTuple

ADD_COMMAND = "INSERT OR IGNORE INTO command (id, run, kind, at, body) VALUES (?, ?, ?, ?, ?)"
COMMAND = "SELECT run.run_id, kind FROM command JOIN run ON run.key = command.run WHERE command.id = ?"
BODY = "SELECT body FROM command WHERE id = ?"
FINISHED = "SELECT 1 FROM command WHERE id = ? AND done_at IS NOT NULL"
COMMANDED = (
    "SELECT run.run_id FROM command JOIN run ON run.key = command.run"
    " WHERE command.id > ?1 || '/' AND command.id < ?1 || '0' ORDER BY run.key"
)
FINISH_COMMAND = "UPDATE command SET done_at = ? WHERE id = ?"
STOPS = (
    "SELECT command.id, command.run, command.kind, command.at, command.body, command.done_at"
    " FROM run JOIN command ON command.run = run.key"
    " WHERE run.status IN ('queued', 'running', 'waiting_for_approval', 'stopping') AND command.kind = 'stop'"
    " ORDER BY command.rowid"
)
PENDING = "SELECT id, run, kind, at, body FROM command WHERE done_at IS NULL ORDER BY rowid"
PENDING_OF = (
    "SELECT id, run, kind, at, body FROM command INDEXED BY command_by_run"
    " WHERE run = ? AND kind = ? AND done_at IS NULL ORDER BY rowid"
)


class PendingCommand(NamedTuple):
    """An intent that was journalled and not finished. `run` is a run's key, `at` Unix seconds."""

    id: str
    run: int
    kind: str
    at: float
    body: bytes


class JournalledStop(NamedTuple):
    """A stop of an unended run. `done_at`: when its warden said that it had it; None: nobody knows."""

    id: str
    run: int
    kind: str
    at: float
    body: bytes
    done_at: float | None
