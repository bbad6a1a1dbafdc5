"""What an end is called: a table from facts to status and reason, and what no facts whatever may do."""

import signal
from dataclasses import replace
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runward.actors import wire
from runward.actors.errors import BadMessage
from runward.actors.lifecycle import Phase, State, StopPlan
from runward.actors.messages.from_run import Claim, Exited, ExitRecord
from runward.actors.records import Reason, Status, Usage
from runward.actors.verdict import WARDEN_DIED, signal_name, verdict

from .lives import PLAN, SHUTDOWN, a_record
from .shapes import strategy_of

COMPLETED = Claim(kind="completed", output=b'"done"')
EXCEPTION = Claim(kind="exception", error="ValueError: no")
START_FAILED = Claim(kind="start_failed", error="ModuleNotFoundError: nope")
INTERRUPTED = Claim(kind="interrupted", output=b'"so far"')
LIMITS = [reason for reason in Reason if reason.endswith("_limit")] + [Reason.OUT_OF_MEMORY]


def ended(record: ExitRecord | None = None, **facts: Any) -> State:
    """An attempt that began and ended, with these facts."""
    return State(Phase.ENDED, record=record, **{"began": True} | facts)


def stopped(mode: Any) -> StopPlan:
    return replace(PLAN, mode=mode)


class Case(NamedTuple):
    facts: State
    status: Status
    reason: Reason
    error: str | None = None


CASES = {
    "it returned": Case(ended(a_record(claim=COMPLETED)), Status.COMPLETED, Reason.COMPLETED),
    "it returned, and hung until it was terminated": Case(
        ended(a_record(claim=COMPLETED, code=None, signal=15, rung="terminate")),
        *(Status.COMPLETED, Reason.COMPLETED),
    ),
    "it returned, and hung until it was killed": Case(
        ended(a_record(claim=COMPLETED, code=None, signal=9, rung="kill")),
        *(Status.COMPLETED, Reason.COMPLETED),
    ),
    "it returned, and died of a signal on its way out": Case(
        ended(a_record(claim=COMPLETED, code=None, signal=11)),
        *(Status.FAILED, Reason.SIGNAL, "ended by SIGSEGV"),
    ),
    "it returned, and exited with an error": Case(
        ended(a_record(claim=COMPLETED, code=3)), Status.FAILED, Reason.EXIT_CODE, "exited with code 3"
    ),
    "it raised": Case(
        ended(a_record(claim=EXCEPTION, code=1)), Status.FAILED, Reason.EXCEPTION, "ValueError: no"
    ),
    "it raised, and then a signal came": Case(
        ended(a_record(claim=EXCEPTION, code=None, signal=11)),
        *(Status.FAILED, Reason.EXCEPTION, "ValueError: no"),
    ),
    "it could not be imported": Case(
        ended(a_record(claim=START_FAILED, code=1)),
        *(Status.FAILED, Reason.START_FAILED, "ModuleNotFoundError: nope"),
    ),
    "it says that it was interrupted, and nobody did that": Case(
        ended(a_record(claim=INTERRUPTED, code=130)), Status.FAILED, Reason.EXCEPTION, "Interrupted"
    ),
    "it left without a word": Case(
        ended(a_record(code=0)), Status.FAILED, Reason.EXIT_CODE, "exited with code 0 before it returned"
    ),
    "it exited with a code": Case(
        ended(a_record(code=7)), Status.FAILED, Reason.EXIT_CODE, "exited with code 7 before it returned"
    ),
    "it crashed": Case(
        ended(a_record(code=None, signal=11)), Status.FAILED, Reason.SIGNAL, "ended by SIGSEGV"
    ),
    "it took the interrupt": Case(
        ended(a_record(stopped=True, rung="interrupt", claim=INTERRUPTED, code=130), stop=PLAN),
        *(Status.CANCELLED, Reason.INTERRUPTED),
    ),
    "it was interrupted and made it a return": Case(
        ended(a_record(stopped=True, rung="interrupt", claim=COMPLETED), stop=PLAN),
        *(Status.CANCELLED, Reason.INTERRUPTED),
    ),
    "it took SIGTERM": Case(
        ended(a_record(stopped=True, rung="terminate", code=None, signal=15), stop=PLAN),
        *(Status.CANCELLED, Reason.TERMINATED),
    ),
    "it had to be killed": Case(
        ended(a_record(stopped=True, rung="kill", code=None, signal=9), stop=PLAN),
        *(Status.CANCELLED, Reason.KILLED),
    ),
    "it was done before the stop": Case(
        ended(a_record(claim=COMPLETED, rung="interrupt"), stop=PLAN), Status.COMPLETED, Reason.COMPLETED
    ),
    "the stop came too late to be told": Case(
        ended(a_record(code=1, claim=EXCEPTION), stop=PLAN), Status.FAILED, Reason.EXCEPTION, "ValueError: no"
    ),
    "the server was shut down": Case(
        ended(a_record(stopped=True, rung="terminate", code=None, signal=15), stop=SHUTDOWN),
        *(Status.CANCELLED, Reason.SHUTDOWN),
    ),
    "something survived the kill": Case(
        ended(a_record(stopped=True, rung="kill", survivors=[7, 8]), stop=PLAN),
        *(Status.FAILED, Reason.KILL_STUCK, "these processes did not die: 7, 8"),
    ),
    "something survived a return": Case(
        ended(a_record(claim=COMPLETED, survivors=[7])),
        *(Status.FAILED, Reason.KILL_STUCK, "these processes did not die: 7"),
    ),
    **{
        f"it went over its {limit}": Case(
            ended(a_record(limit=limit.value, rung="kill", code=None, signal=9)),
            *(Status.FAILED, limit, f"the run went over its limit: {limit.replace('_', ' ')}"),
        )
        for limit in LIMITS
    },
    "a limit counts before a stop": Case(
        ended(a_record(limit="wall_limit", stopped=True, rung="kill"), stop=PLAN),
        *(Status.FAILED, Reason.WALL_LIMIT, "the run went over its limit: wall limit"),
    ),
    # without the warden's word
    "the warden died": Case(ended(), Status.FAILED, Reason.LOST, WARDEN_DIED),
    "the warden lied and was killed": Case(
        ended(killed=True, trouble="it lied"), Status.FAILED, Reason.LOST, "it lied"
    ),
    "the fork failed": Case(
        ended(began=False, trouble="no more processes"),
        *(Status.FAILED, Reason.START_FAILED, "no more processes"),
    ),
    "the warden never greeted": Case(
        ended(began=False, killed=True, trouble="the start did not come"),
        *(Status.FAILED, Reason.START_FAILED, "the start did not come"),
    ),
    "the warden died before it greeted": Case(ended(began=False), Status.FAILED, Reason.LOST, WARDEN_DIED),
    "a stop of a silent warden": Case(ended(stop=PLAN, killed=True), Status.CANCELLED, Reason.KILLED),
    "a stop, and the warden died of something else": Case(ended(stop=PLAN), Status.CANCELLED, Reason.KILLED),
    "an interrupt before it began": Case(ended(began=False, stop=PLAN), Status.CANCELLED, Reason.INTERRUPTED),
    "a terminate before it began": Case(
        ended(began=False, stop=stopped("terminate")), Status.CANCELLED, Reason.TERMINATED
    ),
    "a kill before it began": Case(ended(began=False, stop=stopped("kill")), Status.CANCELLED, Reason.KILLED),
    "a shutdown before it began": Case(ended(began=False, stop=SHUTDOWN), Status.CANCELLED, Reason.SHUTDOWN),
    "a shutdown of a silent warden": Case(
        ended(stop=SHUTDOWN, killed=True), Status.CANCELLED, Reason.SHUTDOWN
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_these_facts_are_this_end(case: Case) -> None:
    end = verdict(case.facts, "pidns", 1.0)
    assert (end.status, end.reason, end.error) == (case.status, case.reason, case.error)


def test_the_table_reaches_every_reason() -> None:
    assert {case.reason for case in CASES.values()} == set(Reason)


def test_every_reason_belongs_to_one_status() -> None:
    """A reader of `reason` alone knows the status."""
    pairs = {(case.reason, case.status) for case in CASES.values()}
    assert len(pairs) == len(Reason)


def test_the_receipt_of_a_silent_warden_says_that_we_killed_it_and_leaves_out_what_nobody_knows() -> None:
    receipt = verdict(ended(stop=PLAN, killed=True), "pidns", 12.5).exit
    assert (receipt.signal, receipt.rung, receipt.proof, receipt.took_ms) == (
        "SIGKILL",
        "kill",
        "pidns",
        12.5,
    )
    assert (receipt.code, receipt.max_rss_bytes, receipt.cpu_s, receipt.stderr_tail) == (None,) * 4


def test_the_receipt_of_a_run_that_never_began_names_no_signal() -> None:
    receipt = verdict(ended(began=False, stop=PLAN), "never_started", None).exit
    assert (receipt.signal, receipt.rung, receipt.proof) == (None, None, "never_started")


def test_the_receipt_repeats_the_record_with_the_supervisors_own_proof() -> None:
    record = a_record(code=None, signal=9, rung="kill", stopped=True, survivors=[], took_ms=1.0, cpu_s=0.5)
    receipt = verdict(ended(record, stop=PLAN), "echild", 3.14159).exit
    assert (receipt.signal, receipt.rung, receipt.proof) == ("SIGKILL", "kill", "echild")
    assert receipt.took_ms == 3.142  # from the wish to the proof, not the warden's part of it
    assert receipt.cpu_s == 0.5


@pytest.mark.parametrize(
    ("claim", "output"),
    [(COMPLETED, b'"done"'), (INTERRUPTED, b'"so far"'), (EXCEPTION, b""), (START_FAILED, b""), (None, b"")],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_output_is_kept_of_a_return_and_of_what_was_broken_off(claim: Claim | None, output: bytes) -> None:
    assert verdict(ended(a_record(claim=claim)), "pidns", None).output == output


def test_usage_is_kept_however_it_ended() -> None:
    claim = Claim(kind="exception", error="no", usage=Usage(1, 2, 3))
    assert verdict(ended(a_record(claim=claim, code=1)), "pidns", None).usage == Usage(1, 2, 3)


def test_a_signal_has_its_name() -> None:
    for number in signal.Signals:
        assert signal_name(int(number)) == number.name


def test_a_signal_without_a_name_has_its_number() -> None:
    for number in (0, -1, 35, 65, 10**9):
        assert signal_name(number) == f"signal {number}"


limits = st.sampled_from([None, *(limit.value for limit in LIMITS)])
records = st.builds(
    lambda record, limit, survivors: msgspec.structs.replace(record, limit=limit, survivors=survivors),
    strategy_of(ExitRecord),
    limits,
    st.just([]) | st.lists(st.integers(1, 9), max_size=2),
)
modes = st.sampled_from(["interrupt", "terminate", "kill"])
plans = st.builds(StopPlan, st.just("stop_1"), modes, st.just(1.0), st.just(1.0), st.booleans())
states = st.builds(
    State,
    st.just(Phase.ENDED),
    st.none() | plans,
    *[st.booleans()] * 3,
    st.none() | records,
    st.none() | st.just("trouble"),
)


@given(states)
def test_every_end_has_a_status_that_is_an_end_and_can_be_told(state: State) -> None:
    end = verdict(state, "pidns", 1.0)
    assert end.status.ended
    assert end.status is Status.FAILED or end.error is None
    msgspec.json.encode(end.exit)


@given(states)
def test_without_the_wardens_word_nothing_is_cancelled_but_by_a_stop(state: State) -> None:
    end = verdict(replace(state, record=None), "pidns", 1.0)
    assert end.status is not Status.CANCELLED or state.stop is not None


def test_with_the_wardens_word_nothing_is_cancelled_but_by_a_stop() -> None:
    end = verdict(ended(a_record(stopped=True, rung="kill", code=None, signal=9)), "pidns", 1.0)
    assert end.status is not Status.CANCELLED


def test_a_failure_says_why_though_its_claim_does_not() -> None:
    end = verdict(ended(a_record(claim=Claim(kind="start_failed"), code=1)), "pidns", 1.0)
    assert end.error


def test_a_record_with_a_limit_that_there_is_not_raises_nothing() -> None:
    try:
        record = wire.from_run.decode(wire.encode(Exited("run_1", 1, a_record(limit="nonsense"))))
    except BadMessage:
        return
    assert isinstance(record, Exited)
    verdict(ended(record.record), "pidns", 1.0)


def test_who_outlived_the_kill_is_named_and_nothing_is_called_proved() -> None:
    state = ended(stop=PLAN, killed=True, stuck=(7, 8))
    end = verdict(state, "pidns", 1.0, ["7 (sh, state D, waiting in nfs)", "8 (gone by now)"])
    assert (end.status, end.reason) == (Status.FAILED, Reason.KILL_STUCK)
    assert end.error == "these processes did not die: 7 (sh, state D, waiting in nfs), 8 (gone by now)"
    assert (end.exit.proof, end.exit.survivors, end.exit.took_ms) == (None, [7, 8], 1.0)


def test_the_supervisors_own_look_counts_before_the_wardens() -> None:
    assert verdict(ended(a_record(survivors=[7])), "pidns", 1.0).exit.survivors == [7]
    assert verdict(ended(a_record(survivors=[7]), stuck=(9,)), "pidns", 1.0).exit.survivors == [9]
