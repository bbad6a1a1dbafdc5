"""When a webhook is told again, what the record shows of it, and that an outcome counts once."""

from pathlib import Path

import pytest

from runward.actors.journal.patient import PatientWriter
from runward.actors.messages.commands import NoteDelivery
from runward.actors.records import RunInput, RunRecord, Status, Webhook
from runward.actors.webhooks import LONGEST_ERROR, Webhooks, after, next_due
from runward.config.sections import WebhookSettings

from .houses import FakeHouse

SETTINGS = WebhookSettings(retry_delay_s=1.0, longest_retry_delay_s=60.0, give_up_after_s=1000.0)
ENDED_AT = 1_000_000.0


def _tried(tries: int, error: str | None = "it answered 500", *, final: bool = False) -> NoteDelivery:
    return NoteDelivery("id", "run_1", tries, error, final)


@pytest.mark.parametrize(("tries", "delay_s"), [(1, 1.0), (2, 2.0), (5, 16.0), (7, 60.0), (2000, 60.0)])
def test_each_delay_is_twice_the_one_before_up_to_the_longest(tries: int, delay_s: float) -> None:
    assert next_due(SETTINGS, _tried(tries), ENDED_AT, ENDED_AT + 10) == ENDED_AT + 10 + delay_s


def test_it_ends_with_success_at_the_word_of_the_receiver_and_in_time() -> None:
    assert next_due(SETTINGS, _tried(1, None), ENDED_AT, ENDED_AT) is None
    assert next_due(SETTINGS, _tried(1, "it answered 410", final=True), ENDED_AT, ENDED_AT) is None
    assert next_due(SETTINGS, _tried(9), ENDED_AT, ENDED_AT + 939) is not None
    assert next_due(SETTINGS, _tried(9), ENDED_AT, ENDED_AT + 941) is None


def test_the_record_shows_how_it_stands() -> None:
    webhook = Webhook("http://a.example/")
    failed = after(webhook, _tried(1, "x" * 1000), is_last=False, now=5.0)
    assert (failed.state, failed.tries, len(failed.error or "")) == ("pending", 1, LONGEST_ERROR)
    told = after(failed, _tried(2, None), is_last=True, now=6.0)
    assert (told.state, told.tries, told.error, told.told_at) == ("delivered", 2, None, 6.0)
    assert after(failed, _tried(2), is_last=True, now=6.0).state == "given_up"


def test_an_outcome_that_is_said_twice_counts_once_and_none_counts_after_the_last(tmp_path: Path) -> None:
    house = FakeHouse()
    house.journal = journal = PatientWriter(tmp_path)
    record = RunRecord(
        run_id="run_1", agent="a", status=Status.COMPLETED, created_at=1.0, updated_at=1.0,
        ended_at=house.now(), webhook=Webhook("http://a.example/"),
    )  # fmt: skip
    key = journal.add_run(record, RunInput(input="x"))
    journal.owe(key, house.now())
    webhooks = Webhooks(house, SETTINGS)
    for tried in (_tried(1), _tried(1), _tried(2, None), _tried(3)):
        webhooks.note(tried)
        journal.commit()
    found = journal.record("run_1")
    assert found is not None
    assert found.webhook is not None
    assert (found.webhook.tries, found.webhook.state) == (2, "delivered")
    assert not journal.owes(key)
    counted = house.figures.series()
    assert counted['runward_webhook_tries_total{result="failed"}'] == 1
    assert counted['runward_webhook_tries_total{result="delivered"}'] == 1
    assert webhooks.note(NoteDelivery("id", "run_unknown", 1)).id == "id"
    journal.delete_run(key)
    journal.close()
