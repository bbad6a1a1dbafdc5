"""The run object, made from the record, the newest event and what the processes use."""

import asyncio
from collections.abc import Sequence

from ..actors import procfs
from ..actors.journal.reader import Reader
from ..actors.records import RunRecord, Usage
from . import webhook_address
from .schemas import ProcessView, RunView, WebhookView


async def of_all(journal: Reader, records: Sequence[RunRecord]) -> list[RunView]:
    """The run objects. Reads of /proc are made in a thread: a run with many processes makes them slow."""
    shown = [_view(record) for record in records]
    live = [(view, record) for view, record in zip(shown, records, strict=True) if not record.status.ended]
    for view, record in live:
        _bring_up_to_date(journal, view, record)
    if live:
        processes = await asyncio.to_thread(_processes, [record for _, record in live])
        for (view, _), process in zip(live, processes, strict=True):
            view.process = process
    return shown


def _view(record: RunRecord) -> RunView:
    return RunView(
        run_id=record.run_id,
        agent=record.agent,
        status=record.status,
        reason=record.reason,
        created_at=record.created_at,
        started_at=record.started_at,
        updated_at=record.updated_at,
        ended_at=record.ended_at,
        attempt=record.attempt,
        session_id=record.session_id,
        parent_run_id=record.parent_run_id,
        metadata=record.metadata,
        model=record.model,
        output=record.output,
        error=record.error,
        usage=record.usage or Usage(),
        last_event=record.last_event,
        last_seq=record.last_seq,
        exit=record.exit,
        containment=record.containment,
        process=None,
        next_attempt_at=record.next_attempt_at,
        first_crash=record.first_crash,
        last_crash=record.last_crash,
        webhook=_webhook(record),
        rung=record.rung,
    )


def _webhook(record: RunRecord) -> WebhookView | None:
    webhook = record.webhook
    if webhook is None:
        return None
    url = webhook_address.shown(webhook.url)
    return WebhookView(
        url=url,
        state=webhook.state,
        tries=webhook.tries,
        error=webhook.error,
        told_at=webhook.told_at,
    )


def _bring_up_to_date(journal: Reader, view: RunView, record: RunRecord) -> None:
    """A live run's last event may be newer than its record, which is saved when the status changes."""
    found = journal.run(record.run_id)
    last = journal.last(found[0]) if found is not None else None
    if last is not None and last.seq >= view.last_seq:
        view.last_event, view.last_seq = last.event, last.seq
        view.updated_at = max(view.updated_at, last.timestamp)


def _processes(records: Sequence[RunRecord]) -> list[ProcessView | None]:
    return [_process(record) for record in records]


def _process(record: RunRecord) -> ProcessView | None:
    tree = None if record.warden is None else procfs.tree(record.warden.pid, record.warden.start_ticks)
    if tree is None:
        return None
    return ProcessView(record.agent_pid, tree.processes, tree.rss_bytes, tree.cpu_s)
