"""How an Idempotency-Key is kept: a row that names the run it stands for, found by owner and key, or by age."""

from typing import NamedTuple

DROPPED_AT_ONCE = 64

# One that has expired makes room for the same key.
NOTE = (
    "INSERT OR REPLACE INTO idempotency (owner, key, run, body, at, run_id)"
    " SELECT ?1, ?2, ?3, ?4, ?5, run_id FROM run WHERE key = ?3"
)
NOTED = "SELECT run_id, body FROM idempotency WHERE owner = ? AND key = ? AND at >= ?"
DROP = (
    "DELETE FROM idempotency WHERE (owner, key) IN"
    " (SELECT owner, key FROM idempotency WHERE at < ? ORDER BY at LIMIT ?)"
)


class Noted(NamedTuple):
    """The run that a key stands for, and the hash of the body that started it."""

    run_id: str
    body: bytes
