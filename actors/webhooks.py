"""Whose webhook is still to be told of an end, and when: kept in the journal, so that no crash forgets it.

A run's end and the debt to tell of it are one transaction. Facades tell, and say here what came of it; the record
counts the tries, so that an outcome that is said twice counts once.
"""

import msgspec

from ..config.sections import WebhookSettings
from .live_run import House
from .messages.answers import DeliveryNoted
from .messages.commands import NoteDelivery
from .records import Webhook

LONGEST_ERROR = 300
_DOUBLINGS = 40  # beyond which every delay is the longest one


class Webhooks:
    """The debts of a supervisor's journal."""

    def __init__(self, house: House, settings: WebhookSettings) -> None:
        self._house = house
        self._settings = settings

    def note(self, command: NoteDelivery) -> DeliveryNoted:
        """What came of a try: it was told, or is to be told again, or is given up."""
        journal, now = self._house.journal, self._house.now()
        key, record = journal.run_key(command.run_id), journal.record(command.run_id)
        if key is None or record is None or record.webhook is None or not journal.owes(key):
            return DeliveryNoted(command.id)
        if record.webhook.tries >= command.tries:
            return DeliveryNoted(command.id)
        due = next_due(self._settings, command, record.ended_at or now, now)
        record.webhook = after(record.webhook, command, due is None, now)
        self._house.figures.webhook_tried("failed" if due is not None else record.webhook.state)
        if due is None:
            journal.paid(key)
        else:
            journal.owe(key, due)
        journal.save_run(key, record)
        return DeliveryNoted(command.id)


def next_due(settings: WebhookSettings, tried: NoteDelivery, ended_at: float, now: float) -> float | None:
    """When it is to be told again (Unix seconds); None: never. Pure."""
    if tried.error is None or tried.final:
        return None
    doublings = min(max(tried.tries - 1, 0), _DOUBLINGS)
    due = now + min(settings.retry_delay_s * 2.0**doublings, settings.longest_retry_delay_s)
    return due if due <= ended_at + settings.give_up_after_s else None


def after(webhook: Webhook, tried: NoteDelivery, is_last: bool, now: float) -> Webhook:
    """What the record shows of it then. Pure."""
    told = msgspec.structs.replace(webhook, tries=tried.tries)
    if tried.error is None:
        return msgspec.structs.replace(told, state="delivered", error=None, told_at=now)
    state = "given_up" if is_last else "pending"
    return msgspec.structs.replace(told, state=state, error=tried.error[:LONGEST_ERROR])
