"""What actors say to each other: one frozen, checked tuple per message, one closed set per direction.

Order that every run keeps: `Hello` before any `Events`, `Exited` last and once, nothing after. Numbers `n` count
one attempt's events from 1 without a gap; `seq` is the supervisor's and never appears here.
Bytes are `wire.py`'s business. A new message is added at the end of its union and given a `tag` of its own.
"""

from typing import Any, Literal

import msgspec

from .records import (
    Choice,
    Containment,
    LimitReason,
    NetworkUse,
    ProcessIdentity,
    RunInput,
    Status,
    Usage,
)

StopMode = Literal["interrupt", "terminate", "kill"]


class Message(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A checked tuple: ["tag", field, …]. A wrong arity or type is a `BadMessage`, never a guess."""


# ── facade → supervisor: commands. Each carries an id; sent again, it is the same command ───────


class StartRun(Message, frozen=True, tag="start"):
    """Journal a new run and admit it. Answered by `RunAccepted` or `Refusal`.

    `run_id` is the facade's proposal; a run that takes a spare has the spare's. A repeated command starts no second
    run. `idempotency_key`: the client's, for one run per owner, key and `body_hash`; another body is refused.
    `on_conflict`, `history` None: as the agent's configuration has it.
    """

    id: str
    run_id: str
    owner: str
    agent: str
    given: RunInput
    parent_run_id: str | None = None
    limits: dict[str, float] = {}
    idempotency_key: str | None = None
    body_hash: bytes = b""
    on_conflict: Literal["queue", "reject", "interrupt", "parallel"] | None = None
    priority: int = 0
    history: Literal["none", "session"] | None = None
    webhook: str | None = None


class StopRun(Message, frozen=True, tag="stop"):
    """Journal the wish to end a run and begin its ladder at `mode`. Answered by `StopAccepted` or `Refusal`.

    `owner` None means any run; else another key's run is `run_not_found`. A grace of None is the configured one.
    """

    id: str
    run_id: str
    owner: str | None
    mode: StopMode = "interrupt"
    grace_s: float | None = None
    reason: str | None = None


class Ping(Message, frozen=True, tag="ping"):
    """Are you there? Answered by `Pong`."""

    id: str


class AskAgents(Message, frozen=True, tag="agents"):
    """What agents are registered? Answered by `Agents`."""

    id: str


class StopRuns(Message, frozen=True, tag="stop_all"):
    """`StopRun` for every unended run that matches all that is not None. Answered by `RunsStopping`."""

    id: str
    owner: str | None
    status: Status | None = None
    agent: str | None = None
    session_id: str | None = None
    mode: StopMode = "interrupt"
    grace_s: float | None = None
    reason: str | None = None


class DeleteRun(Message, frozen=True, tag="delete"):
    """Forget an ended run and all that is kept of it. Answered by `RunDeleted` or `Refusal`."""

    id: str
    run_id: str
    owner: str | None


class AskStack(Message, frozen=True, tag="ask_stack"):
    """Where is the run's agent in its code? Answered by `Stack` or `Refusal`. `owner` as in `StopRun`."""

    id: str
    run_id: str
    owner: str | None


class AskFigures(Message, frozen=True, tag="ask_figures"):
    """How does everything stand, in figures? And this is what the asking facade counted. Answered by `FiguresTold`.

    `life`: the facade's name, "/", and what no other process has. `counters`: since it began; `gauges`: now.
    Not `wanted`: it only reports.
    """

    id: str
    life: str
    counters: dict[str, float]
    gauges: dict[str, float]
    wanted: bool = True


class AnswerApproval(Message, frozen=True, tag="approve"):
    """Answer what the run waits for: this request, else the oldest, or `all`. Answered by `ApprovalAnswered` or
    `Refusal`. `owner` as in `StopRun`.
    """

    id: str
    run_id: str
    owner: str | None
    choice: Choice
    request_id: str | None = None
    all: bool = False
    note: str | None = None


class SteerRun(Message, frozen=True, tag="steer_run"):
    """Give a live run guidance. Answered by `RunSteered` once its agent took it, or `Refusal`. `owner` as above."""

    id: str
    run_id: str
    owner: str | None
    text: str


class NoteDelivery(Message, frozen=True, tag="note_delivery"):
    """The run's end was told to its webhook for the `tries`-th time. Answered by `DeliveryNoted`.

    `error`: why in vain, None if it was taken. `final`: there is no use in telling it again.
    """

    id: str
    run_id: str
    tries: int
    error: str | None = None
    final: bool = False


ToSupervisor = (
    StartRun
    | StopRun
    | Ping
    | AskAgents
    | StopRuns
    | DeleteRun
    | AskStack
    | AskFigures
    | AnswerApproval
    | SteerRun
    | NoteDelivery
)


# ── supervisor → facade: one answer per command, with the command's id ──────────────────────────


class RunAccepted(Message, frozen=True, tag="accepted"):
    """The run is in the journal; it will reach exactly one end. `replayed`: an earlier start of the same key."""

    id: str
    run_id: str
    replayed: bool = False


class StopAccepted(Message, frozen=True, tag="stopping"):
    """The stop is in the journal; the run will end."""

    id: str
    run_id: str


class Refusal(Message, frozen=True, tag="refused"):
    """No, and why, for a person to read. `status`: of the run, where that is the reason."""

    id: str
    code: Literal[
        "run_not_found",
        "run_ended",
        "agent_not_found",
        "queue_full",
        "shutting_down",
        "run_exists",
        "journal_full",
        "idempotency_key_conflict",
        "run_live",
        "invalid_value",
        "run_not_live",
        "stack_unavailable",
        "agent_quarantined",
        "approval_not_active",
        "invalid_approval_choice",
        "steer_not_accepted",
        "steer_unanswered",
        "tree_full",
        "session_busy",
        "key_queue_full",
    ]
    message: str
    param: str | None = None
    status: str | None = None
    retry_after_s: float | None = None


class Pong(Message, frozen=True, tag="pong"):
    """Here, and this is how it stands."""

    id: str
    pid: int
    uptime_s: float
    live_runs: int
    queued_runs: int
    held_back: str | None = None  # why none of those that wait is begun, whatever slots there are


class AgentInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One registered agent, as `GET /v1/agents` shows it."""

    name: str
    description: str = ""
    kind: str | None = (
        None  # function, generator, …: known after the first run, since only walls import an agent
    )
    entrypoint: str = ""
    network: str = "none"
    restart: str = "temporary"
    limits: dict[str, float] = {}
    containment: Containment = Containment()
    health: Literal["ready", "starting", "down", "idle", "quarantined"] = "idle"
    live_runs: int = 0
    warnings: list[str] = []
    spawn: list[str] = []  # agents that its runs may start runs of


class Agents(Message, frozen=True, tag="agent_list"):
    """Every registered agent."""

    id: str
    agents: list[AgentInfo]


class RunsStopping(Message, frozen=True, tag="all_stopping"):
    """The stops of these runs are in the journal; each will end."""

    id: str
    run_ids: list[str]


class RunDeleted(Message, frozen=True, tag="deleted"):
    """Nothing of the run can be found any more."""

    id: str
    run_id: str


class Stack(Message, frozen=True, tag="stack"):
    """The stacks of all threads of the run's agent, as it wrote them: untrusted text."""

    id: str
    text: str


class FiguresTold(Message, frozen=True, tag="figures"):
    """By the names of Prometheus series; empty if they were not wanted. `pid`: the supervisor's."""

    id: str
    pid: int
    series: dict[str, float]


class ApprovalAnswered(Message, frozen=True, tag="approved"):
    """The answers of so many requests are in the journal; the agent will have them."""

    id: str
    run_id: str
    choice: Choice
    resolved: int


class RunSteered(Message, frozen=True, tag="steered"):
    """The agent took the guidance; `run.steered` is in the journal."""

    id: str
    run_id: str


class DeliveryNoted(Message, frozen=True, tag="delivery_noted"):
    """The journal has it, or has no such run any more."""

    id: str


FromSupervisor = (
    RunAccepted
    | StopAccepted
    | Refusal
    | Pong
    | Agents
    | RunsStopping
    | RunDeleted
    | Stack
    | FiguresTold
    | ApprovalAnswered
    | RunSteered
    | DeliveryNoted
)


# ── supervisor → facades: the feed (XPUB), topic = run id. It may drop; the journal can't ───────


class Published(Message, frozen=True, tag="published"):
    """Events `first` … `first + count - 1` are in the journal; their JSON lines follow in the next frame.

    That frame is empty if they are many: then it is the journal that has them.
    `count` 0 is the welcome that a new subscriber is sent: `first` is then the number of the next event.
    """

    first: int
    count: int
    ended: bool = False


RUNS_TOPIC = "runs"  # no run id begins like this


class RunsChanged(Message, frozen=True, tag="changed"):
    """On `RUNS_TOPIC`: records of runs changed, up to this change of the journal's."""

    last: int


OnFeed = Published | RunsChanged


# ── warden → supervisor ─────────────────────────────────────────────────────────────────────────


class Hello(Message, frozen=True, tag="hello"):
    """The agent process exists, blocked, and waits for `Go`. First, and again after each reconnection."""

    run_id: str
    attempt: int
    warden: ProcessIdentity
    agent: ProcessIdentity
    last_n: int = 0


class Events(Message, frozen=True, tag="events"):
    """A numbered batch: events `n` … `n + count - 1`, one JSON object a line, each line ended by a newline.

    At most `events.batches_in_flight` batches are unacked; then the warden leaves the agent's socket alone.
    """

    run_id: str
    attempt: int
    n: int
    count: int
    blob: bytes


class RungReached(Message, frozen=True, tag="rung"):
    """The ladder stands at this rung now. Acknowledges the `Stop` of that command id."""

    run_id: str
    attempt: int
    command_id: str
    rung: StopMode


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What the agent process said of itself before it ended. A claim, checked for form, believed for nothing else.

    `output` is JSON text, empty for none.
    """

    kind: Literal["completed", "exception", "start_failed", "interrupted"]
    output: bytes = b""
    error: str | None = None
    usage: Usage | None = None


class ExitRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The warden's last word: cause, usage and proof of one attempt's end. The journal has it before it is acked.

    `proof`: "pidns" (the warden is init and reaped to ECHILD; the kernel ends the rest with it) or "echild".
    """

    last_n: int
    code: int | None
    signal: int | None
    rung: StopMode | None  # the rung that was in force when the agent ended
    stopped: bool  # a stop was in force before the agent claimed its end: the end is a cancelling
    limit: LimitReason | None  # the limit that ended it
    claim: Claim | None
    took_ms: float | None
    proof: str
    survivors: list[int]
    max_rss_bytes: int
    cpu_s: float
    stderr_tail: str
    ended_at: float
    kind: str | None = None  # what the entrypoint was
    network: NetworkUse | None = None  # what its proxy passed on, if it had one
    refusals: list[str] = []  # what its proxy refused, and why: the first of them


class Exited(Message, frozen=True, tag="exited"):
    """Nothing of the run is left but the warden, which exits once this is acked."""

    run_id: str
    attempt: int
    record: ExitRecord


class StackTaken(Message, frozen=True, tag="stack_taken"):
    """What the agent wrote when it was asked for its stacks, or why it wrote nothing. Answers `TakeStack`."""

    run_id: str
    attempt: int
    command_id: str
    text: str
    error: str | None = None


class AnswerTaken(Message, frozen=True, tag="answer_taken"):
    """The warden has the `Answer` to this request; the agent is told, or is past it."""

    run_id: str
    attempt: int
    request_id: str


class SteerTaken(Message, frozen=True, tag="steer_taken"):
    """What became of a `Steer`. `why`: the agent did not take it; None: it did, and `run.steered` was sent before."""

    run_id: str
    attempt: int
    command_id: str
    why: str | None = None


class SpawnRun(Message, frozen=True, tag="spawn"):
    """The agent wants a child run. `n`: the number of this wish in the attempt, so that said again it is the same.

    Answered by `Spawned` or `NotSpawned`, and when the child has ended by `ChildGone`.
    """

    run_id: str
    attempt: int
    n: int
    agent: str
    given: RunInput
    limits: dict[str, float] = {}


class AskChild(Message, frozen=True, tag="ask_child"):
    """The agent wants this child of its run to end, for the `stops`-th time (0: not at all), and to know its end.

    Answered by `ChildGone`, once it has ended.
    """

    run_id: str
    attempt: int
    child_run_id: str
    stops: int = 0


FromRun = Hello | Events | RungReached | Exited | StackTaken | AnswerTaken | SteerTaken | SpawnRun | AskChild


# ── supervisor → warden ─────────────────────────────────────────────────────────────────────────


class Go(Message, frozen=True, tag="go"):
    """Let the agent begin, with this. `limits`: those that the warden holds, by their names in the settings;
    `leaf_limits_memory`: whether the run's cgroup holds that, which on version 1 kills one process where the whole
    run is to end.
    """

    given: RunInput
    limits: dict[str, float] = {}
    leaf_limits_memory: bool = False


class Stop(Message, frozen=True, tag="stop"):
    """Climb the ladder from `mode`. The warden holds these deadlines by itself, whatever becomes of the supervisor.

    A second one moves to the next rung at once. `message` is what the agent's `interrupt` is called with.
    """

    command_id: str
    mode: StopMode
    interrupt_grace_s: float
    terminate_grace_s: float
    message: str


class EventsAcked(Message, frozen=True, tag="acked"):
    """Events up to `n` are in the journal: cumulative credit."""

    n: int


class ExitAcked(Message, frozen=True, tag="exit_acked"):
    """The exit record is in the journal: exit."""


class TakeStack(Message, frozen=True, tag="take_stack"):
    """Have the agent write its stacks. Answered by `StackTaken` within `stack_pipe.MOST_S`."""

    command_id: str


class Answer(Message, frozen=True, tag="answer"):
    """A request of the agent is answered. Said again until `AnswerTaken` comes; the agent hears it once."""

    request_id: str
    choice: Choice
    note: str | None = None
    timed_out: bool = False


class Steer(Message, frozen=True, tag="steer"):
    """Guidance for the agent. Answered by `SteerTaken` within `relaying.OVERDUE_S`, each time it is said."""

    command_id: str
    text: str


class Spawned(Message, frozen=True, tag="spawned"):
    """The wish `n` is this run, which is in the journal."""

    n: int
    child_run_id: str


class NotSpawned(Message, frozen=True, tag="not_spawned"):
    """No run came of the wish `n`, and why, for a person to read."""

    n: int
    code: str
    message: str


class ChildGone(Message, frozen=True, tag="child_gone"):
    """A child has ended, and nothing of it is left. `output`: JSON text, empty for none."""

    child_run_id: str
    status: str
    reason: str | None
    output: bytes
    error: str | None
    usage: Usage


ToRun = Go | Stop | EventsAcked | ExitAcked | TakeStack | Answer | Steer | Spawned | NotSpawned | ChildGone


# ── supervisor ↔ zygote (SEQPACKET; descriptors by SCM_RIGHTS) ──────────────────────────────────


class Place(msgspec.Struct, frozen=True):
    """Where a run may write, and how much: `size_bytes` in memory; 0 is no limit.

    `work`: a folder of the host's that is its work folder instead; `temporary`: one in place of /tmp. "": in memory.
    """

    size_bytes: int = 0
    work: str = ""
    temporary: str = ""
    uid: int = 0  # whose processes are in it, where runs have users of their own


class Fork(Message, frozen=True, tag="fork"):
    """Fork a warden. Descriptors follow: a pipe that holds the warden's CURVE keys; the run's log, if one is kept.

    `leaf`: the cgroup that its agent lives in, "" for none. `rlimits`: the limits that the kernel holds for each
    process, `watched` those that the warden will hold, by their names in the settings: the agent's process binds
    itself to both, since another one may not once it has a user of its own. `spare`: there is no run for it yet.
    """

    run_id: str
    attempt: int
    place: Place = Place()
    leaf: str = ""
    rlimits: dict[str, float] = {}
    watched: dict[str, float] = {}
    spare: bool = False


ToZygote = Fork


class ZygoteReady(Message, frozen=True, tag="ready"):
    """The preload is done; ask for forks."""

    pid: int
    warnings: list[str] = []
    rung: str = ""  # that its runs are killed by
    walls: list[str] = []  # that its runs get
    missing: list[str] = []  # others that they would get if it were not for the agent, and why they don't


class Forked(Message, frozen=True, tag="forked"):
    """The warden runs. One descriptor follows: its pidfd."""

    run_id: str
    attempt: int
    pid: int


class ForkFailed(Message, frozen=True, tag="fork_failed"):
    """No warden: the kernel said no."""

    run_id: str
    attempt: int
    error: str


class WardenReaped(Message, frozen=True, tag="reaped"):
    """The zygote waited for a warden and ended every orphan that it left: `swept` of them, all but `survivors`."""

    run_id: str
    attempt: int
    pid: int
    status: int
    swept: int
    survivors: list[int] = []


class PreloadFailed(Message, frozen=True, tag="preload_failed"):
    """Instead of `ZygoteReady`: why this zygote is of no use with what it preloaded. It ends."""

    why: str


FromZygote = ZygoteReady | Forked | ForkFailed | WardenReaped | PreloadFailed


# ── root ↔ supervisor and facade (SEQPACKET) ────────────────────────────────────────────────────


class Ready(Message, frozen=True, tag="up"):
    """The role serves."""


class Standby(Message, frozen=True, tag="standby"):
    """All is loaded, and the supervisor before this one may end: the journal is opened once it has."""


class CannotServe(Message, frozen=True, tag="cannot"):
    """Instead of `Ready`: why the state folder is of no use to this supervisor. It waits for `ShutDown`."""

    why: str


class ShutDown(Message, frozen=True, tag="shutdown"):
    """End: a supervisor ends its runs first, by the ladder with this grace for each rung.

    A facade answers for so long what comes on the connections that it has.
    """

    grace_s: float


class SweepOrphans(Message, frozen=True, tag="sweep"):
    """To root: end every process that came to it as an orphan, but these wardens. Answered by `OrphansSwept`.

    For a kill rung without a namespace, when a warden and its zygote were both killed: what the run left is root's.
    """

    keep: list[int]


class OrphansSwept(Message, frozen=True, tag="swept"):
    """From root: it has no child left but its roles and those that were to be kept, unless `survivors` are."""

    survivors: list[int] = []


class Drain(Message, frozen=True, tag="drain"):
    """To a supervisor: take and begin no more runs, and end once none is live. `ShutDown` ends the patience."""


FromRole = Ready | Standby | CannotServe | SweepOrphans
ToRole = ShutDown | OrphansSwept | Drain


# ── warden ↔ agent: JSON lines, up a pipe and down a socket. What comes up is untrusted ─────────


class Start(msgspec.Struct, frozen=True, tag_field="control", tag="start"):
    """The input; import the entrypoint now."""

    given: RunInput


class Interrupt(msgspec.Struct, frozen=True, tag_field="control", tag="interrupt"):
    """The user wishes the run to end."""

    message: str


class EventRefused(msgspec.Struct, frozen=True, tag_field="control", tag="refused"):
    """An event was not taken, and why."""

    event: str
    why: str


class Approval(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="control", tag="approval"
):
    """The answer to a request; `id` is what the agent called it. `error`: it was none, and nobody was asked."""

    choice: Choice
    id: str | None = None
    request_id: str | None = None
    note: str | None = None
    timed_out: bool = False
    error: str | None = None


class Guidance(msgspec.Struct, frozen=True, tag_field="control", tag="steer"):
    """What a person tells the agent unasked. The agent answers with a line `{"steered": id}`.

    `until`: seconds of CLOCK_MONOTONIC after which nobody waits for that, and it is to be dropped.
    """

    id: str
    text: str
    until: float


class ChildStarted(msgspec.Struct, frozen=True, tag_field="control", tag="spawned"):
    """The run that was asked for under this key is in the journal, and will reach exactly one end."""

    key: str
    run_id: str


class ChildRefused(msgspec.Struct, frozen=True, tag_field="control", tag="spawn_refused"):
    """No run came of what was asked for under this key, and why."""

    key: str
    code: str
    why: str


class ChildEnded(msgspec.Struct, frozen=True, tag_field="control", tag="child_ended"):
    """A child has ended. `output` is its JSON value."""

    run_id: str
    status: str
    reason: str | None
    output: msgspec.Raw
    error: str | None
    usage: Usage


ToAgent = Start | Interrupt | EventRefused | Approval | Guidance | ChildStarted | ChildRefused | ChildEnded

#: A line of an agent: `{"event": "dotted.name", …}` is an event; `{"claim": …}` is its own account of its end;
#: `{"approval": …}` asks a person; `{"steered": …}` answers guidance (see `desk.py`);
#: `{"spawn": …}` and `{"stop_child": …}` are wishes (`wishes.py`).
AgentLine = dict[str, Any]
