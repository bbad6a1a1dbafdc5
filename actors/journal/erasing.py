"""How a run is removed: all but its events at once, those a slice at a time, so that no other run waits for it."""

BATCHES = 64  # removed at once: at their largest about 10 ms of work

DELETE_RUN = (
    "DELETE FROM run WHERE key = ?",
    "DELETE FROM given WHERE run = ?",
    "DELETE FROM command WHERE run = ?",
    "DELETE FROM idempotency WHERE run = ?",
    "INSERT OR IGNORE INTO erased (run) VALUES (?)",
)
ERASED = "SELECT run FROM erased LIMIT 1"
DELETE_EVENTS = "DELETE FROM batch WHERE id IN (SELECT id FROM batch WHERE run = ? ORDER BY first LIMIT ?)"
FORGET = "DELETE FROM erased WHERE run = ?"
