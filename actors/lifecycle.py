"""The life of one attempt of a run, as the supervisor decides it. Pure: phase × message → new state and effects.

The rules that every row keeps:
1. A run ends once, and only on proof that nothing of it is left: `WardenGone`, or that nothing was ever forked;
   or with the names of what the kernel itself could not end (`Stuck`).
2. A stop that was wanted is never forgotten: what has not begun yet is then never let go.
3. What happened is told by the warden's record and by the kernel; the agent's claim only tells a return from an
   error.
4. Only a running agent waits for a person: a stop, and the end, close what it asked (`step` sees to that).

`TABLE` holds every pair; a test asks for all of them.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from .messages.base import StopMode
from .messages.from_run import ExitRecord
from .records import MOST_OPEN, ApprovalAnswer, ApprovalRequest, Status


class Phase(StrEnum):
    """Where an attempt stands; finer than the public status."""

    QUEUED = "queued"  # in the journal, waiting for a slot
    FORKING = "forking"  # the zygote was asked
    STARTING = "starting"  # the warden exists, its hello is awaited
    RUNNING = "running"
    STOPPING = "stopping"  # the warden was told to stop it, or was killed
    EXITED = "exited"  # the warden's last word is here, its end is awaited
    ENDED = "ended"


PUBLIC: dict[Phase, Status] = {
    Phase.QUEUED: Status.QUEUED,
    Phase.FORKING: Status.QUEUED,
    Phase.STARTING: Status.QUEUED,
    Phase.RUNNING: Status.RUNNING,
    Phase.STOPPING: Status.STOPPING,
    Phase.EXITED: Status.STOPPING,
}


@dataclass(frozen=True, slots=True)
class StopPlan:
    """A journalled wish to end the run. `shutdown`: the operator ends the server, not this run."""

    command_id: str
    mode: StopMode
    interrupt_grace_s: float
    terminate_grace_s: float
    shutdown: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """`greeted`: the warden said hello to this supervisor. `began`: the agent was let go. `killed`: we killed a
    silent warden.

    `trouble`: why it could not start, or why it is no longer believed (`distrusted`). `stuck`: who outlived the kill.
    `asked`: what it waits for. `answers`: those that the warden has not said to have.
    """

    phase: Phase = Phase.QUEUED
    stop: StopPlan | None = None
    greeted: bool = False
    began: bool = False
    killed: bool = False
    record: ExitRecord | None = None
    trouble: str | None = None
    distrusted: bool = False
    stuck: tuple[int, ...] = ()
    asked: tuple[ApprovalRequest, ...] = ()
    answers: tuple[ApprovalAnswer, ...] = ()


# ── messages ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Admitted:
    """There is a slot."""


@dataclass(frozen=True, slots=True)
class WardenForked:
    """The zygote forked it; we hold its pidfd."""


@dataclass(frozen=True, slots=True)
class NotForked:
    """No process was made, or none is left of it."""

    why: str


@dataclass(frozen=True, slots=True)
class Greeted:
    """The warden said hello: the agent process waits to begin, or it has begun under an earlier supervisor."""


@dataclass(frozen=True, slots=True)
class StopWanted:
    """A stop was journalled."""

    plan: StopPlan


@dataclass(frozen=True, slots=True)
class Recorded:
    """The warden's last word was journalled."""

    record: ExitRecord


@dataclass(frozen=True, slots=True)
class Silent:
    """The warden did not do in time what it must: greet, or kill."""

    why: str


@dataclass(frozen=True, slots=True)
class Misbehaved:
    """The warden said what no warden of ours says: it was taken over."""

    why: str


@dataclass(frozen=True, slots=True)
class WardenGone:
    """Proof: the warden ended and nothing of the run is left."""


@dataclass(frozen=True, slots=True)
class Stuck:
    """The kernel did not end these in time, and nobody else can."""

    pids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """The agent asks a person these; they are in the journal as events."""

    requests: tuple[ApprovalRequest, ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """These were answered: by a person, or by their deadlines."""

    answers: tuple[ApprovalAnswer, ...]


@dataclass(frozen=True, slots=True)
class AnswerTaken:
    """The warden has the answer to this request."""

    request_id: str


LifeMessage = (
    Admitted
    | WardenForked
    | NotForked
    | Greeted
    | StopWanted
    | Recorded
    | Silent
    | Misbehaved
    | WardenGone
    | Stuck
    | Asked
    | Answered
    | AnswerTaken
)


# ── effects ─────────────────────────────────────────────────────────────────────────────────────


class Effect(StrEnum):
    """What the supervisor does, after the journal has it, in order."""

    FORK = "ask the zygote for a warden"
    EXPECT_HELLO = "start the start timer"
    BEGIN = "journal run.started and let the agent go"
    RESUME = "tell the warden where the journal stands, and to let the agent go if it has not"
    ANNOUNCE_STOP = "journal run.stopping"
    TELL_STOP = "tell the warden the stop plan, and watch that it kills in time"
    KILL_WARDEN = "kill the warden by its pidfd"
    ACK_EXIT = "let the warden exit"
    LOOK_WHO_IS_LEFT = "see who outlived the kill"
    END = "journal the terminal event and free the slot"
    SHOW_WAITING = "journal whether it waits for a person, and what it has not been told"
    TELL_ANSWERS = "tell the warden the answers that it has not said to have"


def resumed(
    stop: StopPlan | None,
    record: ExitRecord | None,
    asked: tuple[ApprovalRequest, ...] = (),
    answers: tuple[ApprovalAnswer, ...] = (),
) -> State:
    """The state of a run that began under an earlier supervisor, as the journal has it. Its warden has yet to greet.

    `stop`: the newest that was journalled. `record`: the warden's last word, if that was.
    """
    if record is not None:
        return State(Phase.EXITED, stop, began=True, record=record)
    if stop is not None:
        return State(Phase.STOPPING, stop, began=True)
    return State(Phase.RUNNING, began=True, asked=asked, answers=answers)


Decision = tuple[State, tuple[Effect, ...]]
_Row = Callable[[State, Any], Decision]


def step(state: State, message: LifeMessage) -> Decision:
    """The state after this message and the effects that go with it. Defined for every pair."""
    after, effects = TABLE[state.phase, type(message)](state, message)
    if after.phase is not Phase.RUNNING and (after.asked or after.answers):
        after = replace(after, asked=(), answers=())
    return after, effects


def _ignore(state: State, _message: object) -> Decision:
    return state, ()


def _end(state: State, _message: object = None) -> Decision:
    return replace(state, phase=Phase.ENDED), (Effect.END,)


def _admit(state: State, _message: Admitted) -> Decision:
    return replace(state, phase=Phase.FORKING), (Effect.FORK,)


def _stop_queued(state: State, message: StopWanted) -> Decision:
    return _end(replace(state, stop=message.plan))


def _forked(state: State, _message: WardenForked) -> Decision:
    if state.stop is not None or state.trouble is not None:  # it must not begin
        return replace(state, phase=Phase.STOPPING, killed=True), (Effect.KILL_WARDEN,)
    if state.greeted:
        return _begin(state)
    return replace(state, phase=Phase.STARTING), (Effect.EXPECT_HELLO,)


def _stop_exited(state: State, message: StopWanted) -> Decision:
    """Nothing is left to stop in this attempt, but there may not be another."""
    return replace(state, stop=_newest(state, message.plan)), ()


def _forked_late(state: State, _message: WardenForked) -> Decision:
    """The zygote answered after we gave up on it: nothing that we do not wait for may live."""
    return state, (Effect.KILL_WARDEN,)


def _not_forked(state: State, message: NotForked) -> Decision:
    return _end(replace(state, trouble=message.why))


def _stop_forking(state: State, message: StopWanted) -> Decision:
    """The fork can't be called back; the plan waits for it."""
    return replace(state, stop=_newest(state, message.plan)), ()


def _fork_silent(state: State, message: Silent) -> Decision:
    """The zygote is stuck: its end, which the supervisor brings about, will say that nothing was forked."""
    return replace(state, trouble=message.why), ()


def _greeted_early(state: State, _message: Greeted) -> Decision:
    """The hello overtook the zygote's answer. It begins when the pidfd is here: what can't be killed must not run."""
    return replace(state, greeted=True), ()


def _begin(state: State, _message: Greeted | None = None) -> Decision:
    return replace(state, phase=Phase.RUNNING, greeted=True, began=True), (Effect.BEGIN,)


def _stop_starting(state: State, message: StopWanted) -> Decision:
    """Nothing of the agent has run, so there is nothing to ask it: kill."""
    stopped = replace(state, phase=Phase.STOPPING, stop=message.plan, killed=True)
    return stopped, (Effect.ANNOUNCE_STOP, Effect.KILL_WARDEN)


def _start_silent(state: State, message: Silent) -> Decision:
    return replace(state, phase=Phase.STOPPING, killed=True, trouble=message.why), (Effect.KILL_WARDEN,)


def _stop_running(state: State, message: StopWanted) -> Decision:
    stopped = replace(state, phase=Phase.STOPPING, stop=message.plan)
    return stopped, (Effect.ANNOUNCE_STOP, Effect.TELL_STOP)


def _resume(state: State, _message: Greeted) -> Decision:
    """It goes on: its warden heard nothing, or nobody knows what, since its line broke off."""
    again = (Effect.TELL_ANSWERS,) if state.answers else ()
    return replace(state, greeted=True), (Effect.RESUME, *again)


def _ask(state: State, message: Asked) -> Decision:
    """More than the warden lets an agent ask at once are not remembered: that one is no warden of ours."""
    asked = (*state.asked, *message.requests)[:MOST_OPEN]
    return replace(state, asked=asked), (Effect.SHOW_WAITING,)


def _answer(state: State, message: Answered) -> Decision:
    """What is not asked any more is not answered: once is enough."""
    open_ids = {request.request_id for request in state.asked}
    new = tuple(answer for answer in message.answers if answer.request_id in open_ids)
    if not new:
        return state, ()
    settled = {answer.request_id for answer in new}
    asked = tuple(request for request in state.asked if request.request_id not in settled)
    told = replace(state, asked=asked, answers=(*state.answers, *new))
    return told, (Effect.SHOW_WAITING, Effect.TELL_ANSWERS)


def _answer_taken(state: State, message: AnswerTaken) -> Decision:
    left = tuple(answer for answer in state.answers if answer.request_id != message.request_id)
    return (state, ()) if left == state.answers else (replace(state, answers=left), (Effect.SHOW_WAITING,))


def _resume_stopping(state: State, _message: Greeted) -> Decision:
    if state.killed or state.stop is None:
        return state, ()
    return replace(state, greeted=True), (Effect.RESUME, Effect.TELL_STOP)


def _resume_exited(state: State, _message: Greeted) -> Decision:
    return replace(state, greeted=True), (Effect.RESUME, Effect.ACK_EXIT)


def _never_returned(state: State, message: Silent) -> Decision:
    """A warden that does not come back can't be asked to stop, nor be heard: it must not go on unseen."""
    if state.greeted:  # a deadline of an earlier phase
        return state, ()
    return _start_silent(state, message)


def _stop_again(state: State, message: StopWanted) -> Decision:
    """A second stop climbs one rung at once; the warden knows which."""
    plan = _newest(state, message.plan)
    if state.killed:
        return replace(state, stop=plan), ()
    return replace(state, stop=plan), (Effect.TELL_STOP,)


def _newest(state: State, plan: StopPlan) -> StopPlan:
    """The plan that counts from now on. Shutdown never hides a user's stop."""
    return replace(plan, shutdown=plan.shutdown and (state.stop is None or state.stop.shutdown))


def _record(state: State, message: Recorded) -> Decision:
    if state.distrusted:
        return state, ()
    return replace(state, phase=Phase.EXITED, record=message.record), (Effect.ACK_EXIT,)


def _ack_again(state: State, _message: Recorded) -> Decision:
    return state, (Effect.ACK_EXIT,)


def _kill_silent(state: State, _message: Silent) -> Decision:
    if state.killed or (state.record is not None and state.record.survivors):
        return state, (Effect.LOOK_WHO_IS_LEFT,)  # there is nothing stronger
    return replace(state, killed=True), (Effect.KILL_WARDEN,)


def _stuck(state: State, message: Stuck) -> Decision:
    """The one end without proof: it says so, and who is left."""
    return _end(replace(state, stuck=message.pids))


def _distrust(state: State, message: Misbehaved) -> Decision:
    """Nothing more is believed of it but its death."""
    distrusted = replace(state, phase=Phase.STOPPING, killed=True, trouble=message.why, distrusted=True)
    return distrusted, (Effect.KILL_WARDEN,)


TABLE: dict[tuple[Phase, type], _Row] = {
    # nothing exists yet
    (Phase.QUEUED, Admitted): _admit,
    (Phase.QUEUED, WardenForked): _forked_late,
    (Phase.QUEUED, NotForked): _ignore,
    (Phase.QUEUED, Greeted): _ignore,
    (Phase.QUEUED, StopWanted): _stop_queued,
    (Phase.QUEUED, Recorded): _ignore,
    (Phase.QUEUED, Silent): _ignore,
    (Phase.QUEUED, Misbehaved): _ignore,
    (Phase.QUEUED, WardenGone): _ignore,
    (Phase.QUEUED, Stuck): _ignore,
    (Phase.QUEUED, Asked): _ignore,
    (Phase.QUEUED, Answered): _ignore,
    (Phase.QUEUED, AnswerTaken): _ignore,
    # the zygote was asked
    (Phase.FORKING, Admitted): _ignore,
    (Phase.FORKING, WardenForked): _forked,
    (Phase.FORKING, NotForked): _not_forked,
    (Phase.FORKING, Greeted): _greeted_early,
    (Phase.FORKING, StopWanted): _stop_forking,
    (Phase.FORKING, Recorded): _ignore,
    (Phase.FORKING, Silent): _fork_silent,
    (Phase.FORKING, Misbehaved): _ignore,
    (Phase.FORKING, WardenGone): _end,
    (Phase.FORKING, Stuck): _stuck,
    (Phase.FORKING, Asked): _ignore,
    (Phase.FORKING, Answered): _ignore,
    (Phase.FORKING, AnswerTaken): _ignore,
    # the warden exists
    (Phase.STARTING, Admitted): _ignore,
    (Phase.STARTING, WardenForked): _ignore,
    (Phase.STARTING, NotForked): _ignore,
    (Phase.STARTING, Greeted): _begin,
    (Phase.STARTING, StopWanted): _stop_starting,
    (Phase.STARTING, Recorded): _record,
    (Phase.STARTING, Silent): _start_silent,
    (Phase.STARTING, Misbehaved): _distrust,
    (Phase.STARTING, WardenGone): _end,
    (Phase.STARTING, Stuck): _stuck,
    (Phase.STARTING, Asked): _ignore,
    (Phase.STARTING, Answered): _ignore,
    (Phase.STARTING, AnswerTaken): _ignore,
    # the agent runs
    (Phase.RUNNING, Admitted): _ignore,
    (Phase.RUNNING, WardenForked): _ignore,
    (Phase.RUNNING, NotForked): _ignore,
    (Phase.RUNNING, Greeted): _resume,
    (Phase.RUNNING, StopWanted): _stop_running,
    (Phase.RUNNING, Recorded): _record,
    (Phase.RUNNING, Silent): _never_returned,
    (Phase.RUNNING, Misbehaved): _distrust,
    (Phase.RUNNING, WardenGone): _end,
    (Phase.RUNNING, Stuck): _stuck,
    (Phase.RUNNING, Asked): _ask,
    (Phase.RUNNING, Answered): _answer,
    (Phase.RUNNING, AnswerTaken): _answer_taken,
    # a stop is under way
    (Phase.STOPPING, Admitted): _ignore,
    (Phase.STOPPING, WardenForked): _ignore,
    (Phase.STOPPING, NotForked): _ignore,
    (Phase.STOPPING, Greeted): _resume_stopping,
    (Phase.STOPPING, StopWanted): _stop_again,
    (Phase.STOPPING, Recorded): _record,
    (Phase.STOPPING, Silent): _kill_silent,
    (Phase.STOPPING, Misbehaved): _distrust,
    (Phase.STOPPING, WardenGone): _end,
    (Phase.STOPPING, Stuck): _stuck,
    (Phase.STOPPING, Asked): _ignore,
    (Phase.STOPPING, Answered): _ignore,
    (Phase.STOPPING, AnswerTaken): _ignore,
    # only the proof is missing
    (Phase.EXITED, Admitted): _ignore,
    (Phase.EXITED, WardenForked): _ignore,
    (Phase.EXITED, NotForked): _ignore,
    (Phase.EXITED, Greeted): _resume_exited,
    (Phase.EXITED, StopWanted): _stop_exited,
    (Phase.EXITED, Recorded): _ack_again,
    (Phase.EXITED, Silent): _kill_silent,
    (Phase.EXITED, Misbehaved): _ignore,
    (Phase.EXITED, WardenGone): _end,
    (Phase.EXITED, Stuck): _stuck,
    (Phase.EXITED, Asked): _ignore,
    (Phase.EXITED, Answered): _ignore,
    (Phase.EXITED, AnswerTaken): _ignore,
    # over
    (Phase.ENDED, Admitted): _ignore,
    (Phase.ENDED, WardenForked): _forked_late,
    (Phase.ENDED, NotForked): _ignore,
    (Phase.ENDED, Greeted): _ignore,
    (Phase.ENDED, StopWanted): _ignore,
    (Phase.ENDED, Recorded): _ignore,
    (Phase.ENDED, Silent): _ignore,
    (Phase.ENDED, Misbehaved): _ignore,
    (Phase.ENDED, WardenGone): _ignore,
    (Phase.ENDED, Stuck): _ignore,
    (Phase.ENDED, Asked): _ignore,
    (Phase.ENDED, Answered): _ignore,
    (Phase.ENDED, AnswerTaken): _ignore,
}
