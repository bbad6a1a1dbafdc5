"""What a run is given of its session: what earlier runs of it were given, and what they said.

Looked up when the agent is let go, so a run that waited for its turn knows what came of the one before it. Only runs
of the same owner, that ended, and that had begun: what never began was never said.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from ..config.sections import RunsSettings
from .journal.sessions import Said
from .journal.writer import Writer
from .live_run import LiveRun
from .records import RunInput

Message = dict[str, Any]
ENVELOPE_BYTES = 4096  # of the message that lets the agent go, beside its input and its limits


class SessionHistory:
    """Of every session of one journal. `most_bytes`: of a message to a warden."""

    def __init__(self, journal: Writer, runs: RunsSettings, most_bytes: int) -> None:
        self._journal = journal
        self._messages = runs.history_messages
        self._bytes = runs.history_bytes
        self._most_bytes = most_bytes

    def given(self, run: LiveRun) -> RunInput:
        """What the run's agent is given. Blocks for some ms where the run asked for its session's history."""
        record = run.record
        if not record.session_history or record.session_id is None:
            return run.given
        left = self._most_bytes - ENVELOPE_BYTES - len(msgspec.json.encode(run.given))
        most_bytes = min(self._bytes, left)
        said = self._journal.said(record.owner, record.session_id, self._messages, most_bytes)
        history = messages(said, self._messages, most_bytes)
        return msgspec.structs.replace(run.given, history=history) if history else run.given


def messages(said: Iterable[Said], most: int, most_bytes: int) -> list[Message]:
    """The newest of these, `{role, content}`, in order. `said`: what was said last comes first. Pure.

    Whole messages within both bounds; an answer is never there without what it answers.
    """
    newest_first: list[Message] = []
    size = 0
    for each in said:
        turn = _turn(each)
        size += len(msgspec.json.encode(turn))
        if len(newest_first) + len(turn) > most or size > most_bytes:
            break
        newest_first += turn
    return newest_first[::-1]


def _turn(said: Said) -> list[Message]:
    """The newer message first."""
    question = {"role": "user", "content": said.input}
    answer = _text(said.output)
    return [question] if answer is None else [{"role": "assistant", "content": answer}, question]


def _text(output: msgspec.Raw | None) -> str | None:
    """An output that is text, as it is; any other as JSON."""
    if output is None:
        return None
    value = msgspec.json.decode(output)
    if value is None:
        return None
    return value if isinstance(value, str) else bytes(output).decode()
