"""The record of a run: what the journal keeps of it and every reader is shown.

One owner (the supervisor) writes it; facades only read. Times are Unix seconds. The public run object of
CONTRACT 3 is made from it in the http room, which leaves out the fields marked internal.
"""

from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec


class Status(StrEnum):
    """What a user is told of a run's life; the last three are its ends."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING_FOR_APPROVAL = "waiting_for_approval"
    STOPPING = "stopping"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing of the run is left."""
        return self in ENDS


ENDS = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})


class Reason(StrEnum):
    """Why a run ended. Told by the kernel, the warden's record or the journal; never guessed."""

    COMPLETED = "completed"
    EXCEPTION = "exception"
    EXIT_CODE = "exit_code"
    SIGNAL = "signal"
    OUT_OF_MEMORY = "out_of_memory"
    MEMORY_LIMIT = "memory_limit"
    CPU_LIMIT = "cpu_limit"
    WALL_LIMIT = "wall_limit"
    IDLE_LIMIT = "idle_limit"
    OUTPUT_LIMIT = "output_limit"
    INTERRUPTED = "interrupted"
    TERMINATED = "terminated"
    KILLED = "killed"
    START_FAILED = "start_failed"
    LOST = "lost"
    SHUTDOWN = "shutdown"
    KILL_STUCK = "kill_stuck"


class Kind(StrEnum):
    """What an agent's entrypoint turned out to be (CONTRACT 7)."""

    FUNCTION = "function"
    ASYNC_FUNCTION = "async_function"
    GENERATOR = "generator"
    ASYNC_GENERATOR = "async_generator"
    CONVERSATION = "conversation"
    COMMAND = "command"
    PYDANTIC_AI = "pydantic_ai"
    LANGGRAPH = "langgraph"
    OPENAI_AGENTS = "openai_agents"
    SMOLAGENTS = "smolagents"


LOWEST_PRIORITY, HIGHEST_PRIORITY = -10, 10

HIGHEST_COUNT = 2**53  # what a JSON client still tells apart
Count = Annotated[int, msgspec.Meta(ge=0, le=HIGHEST_COUNT)]


class LimitReason(StrEnum):
    """The reasons that a warden may give for ending a run by itself; each is a `Reason`."""

    OUT_OF_MEMORY = "out_of_memory"
    MEMORY_LIMIT = "memory_limit"
    CPU_LIMIT = "cpu_limit"
    WALL_LIMIT = "wall_limit"
    IDLE_LIMIT = "idle_limit"
    OUTPUT_LIMIT = "output_limit"


class Usage(msgspec.Struct, frozen=True):
    """Tokens, as the agent counted them."""

    input_tokens: Count = 0
    output_tokens: Count = 0
    total_tokens: Count = 0


class NetworkUse(msgspec.Struct, frozen=True):
    """What a run's proxy passed on, and how much it refused."""

    connections: int = 0
    refused: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0


class Exit(msgspec.Struct, frozen=True):
    """The receipt of an end: what the kernel said, which rung did it, and what proves it.

    A field is None where only the warden could have known it and the warden was gone.
    """

    code: int | None = None
    signal: str | None = None
    rung: str | None = None  # the rung that ended it: interrupt, terminate, kill; None: it ended by itself
    took_ms: float | None = None  # from the first rung to proof
    proof: str | None = None  # "pidns", "echild", "never_started", …
    survivors: list[int] = []
    max_rss_bytes: int | None = None
    cpu_s: float | None = None
    stderr_tail: str | None = None
    network: NetworkUse | None = None  # of an agent whose network is "proxy"


class Crash(msgspec.Struct, frozen=True):
    """The report of an attempt that crashed, and after which another was wanted."""

    attempt: int
    at: float
    reason: Reason
    error: str | None
    exit: Exit


class Containment(msgspec.Struct, frozen=True):
    """What held the run: the kill rung, the mechanism of each limit, and what could not be had."""

    kill: str = ""
    applied: dict[str, str] = {}
    missing: list[str] = []


class ProcessIdentity(msgspec.Struct, frozen=True):
    """A process that can't be mistaken for a later one with the same pid.

    Host pid, start time in clock ticks after boot (proc(5), stat field 22) and the boot's id.
    """

    pid: int
    start_ticks: int
    boot_id: str


Choice = Literal["once", "session", "always", "deny"]
MOST_OPEN = 16  # requests of one run that wait for a person at once


class ApprovalRequest(msgspec.Struct, frozen=True):
    """A question to a person that is not answered yet. `expires_at`: Unix seconds; None: it has no deadline."""

    request_id: str
    choices: tuple[Choice, ...]
    expires_at: float | None = None


class ApprovalAnswer(msgspec.Struct, frozen=True):
    """Its one answer. `timed_out`: nobody gave it in time, so it is the deadline's."""

    request_id: str
    choice: Choice
    note: str | None = None
    timed_out: bool = False


class Webhook(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who is to be told of the run's end, and how far that came: in how many tries, and why the last was in vain."""

    url: str
    state: Literal["pending", "delivered", "given_up"] = "pending"
    tries: int = 0
    error: str | None = None
    told_at: float | None = None


class RunRecord(msgspec.Struct, kw_only=True, omit_defaults=True):
    """All that is known of one run. Mutable: the supervisor owns the only live copy of each."""

    run_id: str
    agent: str
    status: Status = Status.QUEUED
    reason: Reason | None = None
    created_at: float
    started_at: float | None = None
    updated_at: float
    ended_at: float | None = None
    attempt: int = 1
    session_id: str | None = None
    parent_run_id: str | None = None
    metadata: dict[str, str] = {}
    model: str | None = None
    output: msgspec.Raw | None = None  # the agent's output as JSON text, once it ended
    error: str | None = None
    usage: Usage | None = None
    last_event: str | None = None  # as of the last save: for a live run the journal's last batch is newer
    last_seq: int = 0
    exit: Exit | None = None
    containment: Containment | None = None
    agent_pid: int | None = None  # host pid
    next_attempt_at: float | None = None  # when it may be begun again; it may wait longer, for a slot
    first_crash: Crash | None = None  # of those that count together
    last_crash: Crash | None = None
    webhook: Webhook | None = None
    rung: str | None = None  # where its stop stands: interrupt, terminate, kill
    # internal
    owner: str = ""  # name of the API key that started it
    warden: ProcessIdentity | None = None
    warden_key: str | None = None  # CURVE public key (Z85), so that a later supervisor knows it again
    stop_reason: str | None = None  # what the caller gave as `reason`
    limits: dict[str, float] = {}  # what it may use: its agent's limits, tightened by the request
    runtime_events: int = 0  # of last_seq, those that the attempt's warden did not send
    restarts: list[float] = []  # when its attempts ended, as far as that counts
    exit_record: bytes | None = None  # the warden's last word, from its receipt to the proof
    leaf: str = ""  # the cgroup that holds it
    uid: int = (
        0  # that its processes alone have, of every attempt: what an earlier one kept is the next one's
    )
    approvals: tuple[ApprovalRequest, ...] = ()  # that it waits for
    answers: tuple[ApprovalAnswer, ...] = ()  # that its warden has not said to have
    priority: int = 0  # a head start in the queue: LOWEST_PRIORITY to HIGHEST_PRIORITY
    on_conflict: str = ""  # what it does in its session (`admission.OnConflict`); "": as "queue"
    session_history: bool = False  # whether it is given what its session's ended runs were given and said
    trace_parent: str = ""  # of the span of the request that started it


class ResponseAsked(msgspec.Struct, frozen=True):
    """How a run was asked for by OpenAI's `/v1/responses`, as far as whoever retrieves it is told that."""

    background: bool = False
    store: bool = True
    previous_response_id: str | None = None


class RunInput(msgspec.Struct, frozen=True, kw_only=True):
    """What the agent is given. Journalled with the run, sent to its warden, and to nobody else."""

    input: str
    history: list[dict[str, Any]] = []
    instructions: str | None = None
    session_id: str | None = None
    model: str | None = None
    metadata: dict[str, str] = {}
    response: ResponseAsked | None = None  # not given to the agent
