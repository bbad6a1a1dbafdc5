"""What a start means for the queue and for its session: asked before it is taken, and carried out with it."""

from dataclasses import dataclass

from ..config.sections import Settings
from . import admission
from .admission import InSession, OnConflict
from .messages.answers import Refusal
from .messages.commands import StartRun
from .records import RunRecord
from .register import Register
from .roles import KeyCaps

FULL_S = 1.0  # after which it may be worth another try


@dataclass(frozen=True, slots=True)
class Entry:
    """How a new run comes in. `takes_spare`: whether it may have one. `stopped`: who it takes the turn from.

    Who waits for a slot is no worse off with a spare, and nobody else is; who waits for his turn may wait for long.
    """

    on_conflict: OnConflict
    takes_spare: bool
    stopped: tuple[str, ...]
    session_history: bool

    def noted(self, record: RunRecord, priority: int) -> RunRecord:
        """The record, which now tells the next supervisor the same."""
        record.on_conflict = "" if self.on_conflict == "queue" else self.on_conflict
        record.priority, record.session_history = priority, self.session_history
        return record


class Sessions:
    """Decides for the agents that these settings declare."""

    def __init__(self, settings: Settings, register: Register, key_caps: dict[str, KeyCaps]) -> None:
        self._settings = settings
        self._register = register
        self._key_caps = key_caps

    def entry(self, start: StartRun) -> Entry:
        """How it comes in, if it is not refused."""
        on_conflict = self._on_conflict(start)
        session = self._session(start)
        wanted = start.history or self._settings.agents[start.agent].history
        return Entry(
            on_conflict,
            _waits_for(on_conflict, session) == InSession(),
            admission.conflict(on_conflict, session).stopped,
            wanted == "session" and not start.given.history,
        )

    def refusal(self, start: StartRun) -> Refusal | None:
        """Why it is not taken, if that is for its session or the queue."""
        on_conflict, session = self._on_conflict(start), self._session(start)
        if admission.conflict(on_conflict, session).refused:
            message = (
                f"another run of the session {start.given.session_id!r} has not ended; wait for it or stop it, "
                "or say another on_conflict: queue, interrupt or parallel"
            )
            return Refusal(start.id, "session_busy", message, param="session_id")
        begins = self._begins(start, on_conflict, session)
        waiting, of_owner = self._register.waiting, self._register.waiting_of(start.owner)
        most, most_of_owner = self._settings.runs.max_queued, self._most_queued(start.owner)
        match admission.is_full(begins, waiting, most, of_owner, most_of_owner):
            case "all":
                message = f"{waiting} runs are waiting already; try again later"
                return Refusal(start.id, "queue_full", message, retry_after_s=FULL_S)
            case "owner":
                message = f"{of_owner} runs of the key {start.owner!r} are waiting already; try again later"
                return Refusal(start.id, "key_queue_full", message, retry_after_s=FULL_S)
            case None:
                return None

    def _begins(self, start: StartRun, on_conflict: OnConflict, session: InSession) -> bool:
        payer = "" if start.parent_run_id is not None else start.owner
        waits_for = _waits_for(on_conflict, session)
        return self._register.begins_at_once(payer, start.agent, waits_for, start.parent_run_id)

    def _session(self, start: StartRun) -> InSession:
        return self._register.in_session(start.owner, start.given.session_id)

    def _on_conflict(self, start: StartRun) -> OnConflict:
        of_agent = self._settings.agents[start.agent].on_conflict
        return start.on_conflict or of_agent or self._settings.runs.on_conflict

    def _most_queued(self, owner: str) -> int:
        caps = self._key_caps.get(owner)
        return (caps.max_queued if caps else 0) or self._settings.runs.max_queued_per_key


def _waits_for(on_conflict: OnConflict, session: InSession) -> InSession:
    return InSession() if on_conflict == "parallel" else session


def caps_of(settings: Settings, key_caps: dict[str, KeyCaps]) -> admission.Caps:
    """How many runs may be live at once, as it is configured."""
    return admission.Caps(
        max_live=settings.runs.max_live,
        of_agent={name: spec.max_concurrent for name, spec in settings.agents.items()},
        of_owner={name: caps.max_live for name, caps in key_caps.items()},
        per_owner=settings.runs.max_live_per_key,
    )
