"""What an end is called: status, reason and words, from the facts alone. Pure."""

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from .lifecycle import State
from .messages.from_run import ExitRecord
from .records import Exit, LimitReason, Reason, Status, Usage

WARDEN_DIED = "the run's warden died, and with it the run"
_TERMINAL = {
    Status.COMPLETED: "run.completed",
    Status.FAILED: "run.failed",
    Status.CANCELLED: "run.cancelled",
}
_BY_RUNG = {"interrupt": Reason.INTERRUPTED, "terminate": Reason.TERMINATED, "kill": Reason.KILLED}

# What may be for want of a network that the agent did not get.
_OWN_FAULTS = frozenset({Reason.EXCEPTION, Reason.EXIT_CODE, Reason.SIGNAL, Reason.START_FAILED})


@dataclass(frozen=True, slots=True)
class Verdict:
    """The end of a run. `output` is JSON text, empty for none."""

    status: Status
    reason: Reason
    exit: Exit
    error: str | None = None
    output: bytes = b""
    usage: Usage | None = None


def verdict(state: State, proof: str, took_ms: float | None, left: Sequence[str] = ()) -> Verdict:
    """Judge an ended attempt. `proof` and `took_ms` are the supervisor's own, for when the warden left no record.

    `left`: who outlived the kill, in words.
    """
    if pids := survivors(state):
        return _stuck(state, pids, left, took_ms)
    if state.record is None:
        return _unrecorded(state, proof, took_ms)
    record = state.record
    status, reason, error = _judged(state, record)
    if error is not None and reason in _OWN_FAULTS and record.refusals:
        error = f"{error}; the network was refused: {'; '.join(record.refusals)}"
    claim = record.claim
    keeps_output = claim is not None and claim.kind in ("completed", "interrupted")
    return Verdict(
        status=status,
        reason=reason,
        exit=_receipt(record, proof, _took_ms(state, record, took_ms)),
        error=error if status is not Status.CANCELLED else None,
        output=claim.output if claim is not None and keeps_output else b"",
        usage=claim.usage if claim is not None else None,
    )


def _unrecorded(state: State, proof: str, took_ms: float | None) -> Verdict:
    """The warden's word is missing; what only it knew is null."""
    if state.stop is not None:  # a stop that races the start wins
        return _stopped_unrecorded(state, proof, took_ms)
    if not state.began and state.trouble is not None:
        exit = Exit(proof=proof, rung="kill" if state.killed else None)
        return Verdict(Status.FAILED, Reason.START_FAILED, exit, error=state.trouble)
    exit = Exit(signal="SIGKILL" if state.killed else None, proof=proof)
    return Verdict(Status.FAILED, Reason.LOST, exit, error=state.trouble or WARDEN_DIED)


def _stopped_unrecorded(state: State, proof: str, took_ms: float | None) -> Verdict:
    assert state.stop is not None
    if state.stop.shutdown:
        reason = Reason.SHUTDOWN
    elif state.began:
        reason = Reason.KILLED
    else:  # it never began, so the wish alone ended it
        reason = _BY_RUNG[state.stop.mode]
    if not state.killed:
        return Verdict(Status.CANCELLED, reason, Exit(proof=proof, took_ms=took_ms))
    return Verdict(
        Status.CANCELLED, reason, Exit(signal="SIGKILL", rung="kill", proof=proof, took_ms=took_ms)
    )


def _judged(state: State, record: ExitRecord) -> tuple[Status, Reason, str | None]:
    if record.limit is LimitReason.OUT_OF_MEMORY:
        return (
            Status.FAILED,
            Reason.OUT_OF_MEMORY,
            "the machine ran out of memory, and the kernel chose this run",
        )
    if record.limit is not None:
        words = record.limit.replace("_", " ")
        return Status.FAILED, Reason(record.limit), f"the run went over its limit: {words}"
    if record.stopped and record.rung is not None and state.stop is not None:
        return Status.CANCELLED, Reason.SHUTDOWN if state.stop.shutdown else _BY_RUNG[record.rung], None
    return _by_itself(record)


def _took_ms(state: State, record: ExitRecord, took_ms: float | None) -> float | None:
    """From the first rung to proof: the longer one, for a supervisor that was started amid a stop saw less of it."""
    if state.stop is None or record.took_ms is None:
        return record.took_ms if state.stop is None else took_ms
    return record.took_ms if took_ms is None else max(took_ms, record.took_ms)


def terminal_event(end: Verdict) -> str:
    """The name of a run's last event."""
    return _TERMINAL[end.status]


def terminal_fields(end: Verdict, usage: Usage | None) -> dict[str, Any]:
    """What it says. `usage`: the run's in all."""
    output = msgspec.Raw(end.output) if end.output else None
    match end.status:
        case Status.COMPLETED:
            return {"output": output, "usage": usage or Usage()}
        case Status.FAILED:
            return {"error": end.error, "reason": end.reason, "exit": end.exit}
        case _:
            return {"reason": end.reason, "exit": end.exit, "output": output}


def survivors(state: State) -> list[int]:
    """Pids of who outlived the kill: by the supervisor's own look, else by the warden's."""
    return list(state.stuck) or ([] if state.record is None else state.record.survivors)


def _stuck(state: State, pids: list[int], left: Sequence[str], took_ms: float | None) -> Verdict:
    error = f"these processes did not die: {', '.join(left or map(str, pids))}"
    exit = Exit(rung="kill", took_ms=took_ms) if state.record is None else _receipt(state.record, "", took_ms)
    exit = msgspec.structs.replace(exit, proof=None, survivors=pids)
    return Verdict(Status.FAILED, Reason.KILL_STUCK, exit, error=error)


def _by_itself(record: ExitRecord) -> tuple[Status, Reason, str | None]:
    """Nobody stopped it. A signal counts before a claim, unless we had to end what hung after its return."""
    claim = record.claim
    if claim is not None and claim.kind == "start_failed":
        return Status.FAILED, Reason.START_FAILED, claim.error or "the agent could not start"
    if claim is not None and claim.kind in ("exception", "interrupted"):
        return Status.FAILED, Reason.EXCEPTION, claim.error or "Interrupted"
    if claim is not None and (record.code == 0 or record.rung is not None):
        return Status.COMPLETED, Reason.COMPLETED, None
    if record.signal is not None:
        return Status.FAILED, Reason.SIGNAL, f"ended by {signal_name(record.signal)}"
    said = "" if claim is not None else " before it returned"
    return Status.FAILED, Reason.EXIT_CODE, f"exited with code {record.code}{said}"


def _receipt(record: ExitRecord, proof: str, took_ms: float | None) -> Exit:
    return Exit(
        code=record.code,
        signal=None if record.signal is None else signal_name(record.signal),
        rung=record.rung,
        took_ms=None if took_ms is None else round(took_ms, 3),
        proof=proof,
        survivors=record.survivors,
        max_rss_bytes=record.max_rss_bytes,
        cpu_s=round(record.cpu_s, 6),
        stderr_tail=record.stderr_tail,
        network=record.network,
    )


def signal_name(number: int) -> str:
    """SIGSEGV for 11; a real-time signal by its number."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
