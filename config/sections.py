"""The sections of the configuration: one frozen struct each, and `Settings`, which holds them all.

Nothing here reads anything. The defaults here are the built-in ones; `runward.toml` beside this file
repeats them with a comment for each key, and a test holds the two equal.
Lists are tuples so that nothing can be changed after loading; every struct passes through msgpack.
"""

import msgspec

from .kinds import (
    AgentName,
    AgentOnConflict,
    AllowedHostText,
    ApprovalDeadline,
    AuthMode,
    BuiltinAgent,
    ByteCount,
    Count,
    DerivedBytes,
    DerivedText,
    Entrypoint,
    History,
    Host,
    KeyHash,
    KeyName,
    KillWay,
    LogFormat,
    Milliseconds,
    ModuleName,
    Network,
    OnConflict,
    OptionName,
    Origin,
    Port,
    Rate,
    Requirement,
    Restart,
    Role,
    Seconds,
    SecretData,
    SecretText,
    SomeBytes,
    SomeCount,
    SomeSeconds,
    Synchronous,
    Text,
    UidRange,
    VariableName,
    WallName,
    WholeSeconds,
    WorkFolder,
)


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all sections have in common: no change after loading, no unknown key.

    Below, `frozen` and `kw_only` are repeated because type checkers ask for it; the third is inherited.
    """


class HttpSettings(Section, frozen=True, kw_only=True):
    """How the facades listen and what they put up with."""

    host: Host = "127.0.0.1"
    port: Port = 8642
    workers: SomeCount = 1
    max_body_bytes: SomeBytes = 1_048_576
    max_header_bytes: SomeBytes = 16_384
    max_connections: SomeCount = 2048
    keepalive_s: SomeSeconds = 10.0
    retry_ms: Milliseconds = 1000
    body_timeout_s: SomeSeconds = 30.0
    allowed_hosts: tuple[Host, ...] = ()
    cors_origins: tuple[Origin, ...] = ()
    behind_tls_proxy: bool = False


class AuthKey(Section, frozen=True, kw_only=True):
    """One `[[auth.keys]]`: who it is, what he may do, and the hash that his key must have."""

    name: KeyName
    role: Role
    hash: KeyHash
    max_live: Count = 0
    max_queued: Count = 0


class AuthSettings(Section, frozen=True, kw_only=True):
    """Who may ask."""

    mode: AuthMode = "key"
    session_s: WholeSeconds = 43_200
    link_s: Seconds = 600.0
    keys: tuple[AuthKey, ...] = ()


class StateSettings(Section, frozen=True, kw_only=True):
    """Where the journal lives. After `load` `dir` is absolute; in `defaults()` it is empty."""

    dir: str = ""
    synchronous: Synchronous = "normal"
    reserve_bytes: ByteCount = 67_108_864


class RetentionSettings(Section, frozen=True, kw_only=True):
    """How much is kept of ended runs, and of each run; 0 is no bound."""

    max_age_s: Seconds = 2_592_000.0
    max_runs: Count = 100_000
    max_bytes: ByteCount = 10_737_418_240
    min_age_s: Seconds = 60.0
    run_max_age_s: Seconds = 0.0
    run_max_events: Count = 0
    run_max_bytes: ByteCount = 1_073_741_824


class RunsSettings(Section, frozen=True, kw_only=True):
    """Admission, and the grace that a stop gives."""

    default_agent: AgentName = "echo"
    max_live: SomeCount = 256
    max_queued: Count = 1000
    max_live_per_key: Count = 0
    max_queued_per_key: Count = 0
    priority_step_s: Seconds = 60.0
    min_available_bytes: ByteCount = 67_108_864
    on_conflict: OnConflict = "queue"
    history_messages: Count = 100
    history_bytes: ByteCount = 262_144
    spares: Count = 1
    interrupt_grace_s: Seconds = 5.0
    terminate_grace_s: Seconds = 2.0
    drain_s: Seconds = 5.0
    start_timeout_s: SomeSeconds = 30.0
    orphan_timeout_s: Seconds = 30.0
    restart_intensity: Count = 5
    restart_period_s: SomeSeconds = 60.0
    restart_delay_s: Seconds = 0.5
    longest_restart_delay_s: Seconds = 30.0
    max_tree_depth: SomeCount = 4
    max_tree_runs: SomeCount = 256
    max_children: SomeCount = 64
    max_spawns_per_s: Rate = 20.0
    builtin_agents: tuple[BuiltinAgent, ...] = ("echo", "count", "crash", "spin", "hog")


class EventsSettings(Section, frozen=True, kw_only=True):
    """Sizes on the way of an event from the agent to a client."""

    max_event_bytes: SomeBytes = 1_048_576
    max_batch_bytes: SomeBytes = 262_144
    batches_in_flight: SomeCount = 4
    tail_bytes: ByteCount = 262_144
    stderr_tail_bytes: ByteCount = 4096
    max_log_bytes: ByteCount = 1_048_576
    max_message_bytes: SomeBytes = 4_194_304


class SupervisionSettings(Section, frozen=True, kw_only=True):
    """Restarts of our own processes, and how long they may be silent."""

    restart_intensity: Count = 5
    restart_period_s: SomeSeconds = 10.0
    kill_silence_s: SomeSeconds = 0.25
    command_timeout_s: SomeSeconds = 5.0


class LogSettings(Section, frozen=True, kw_only=True):
    """What the server says on stderr."""

    format: LogFormat = "auto"


class TelemetrySettings(Section, frozen=True, kw_only=True):
    """Traces, by OpenTelemetry (the extra `otel`)."""

    traces: bool = False
    endpoint: str = ""


class ContainmentSettings(Section, frozen=True, kw_only=True):
    """How a run is killed for certain, and what the machine must be able to do."""

    kill: KillWay = "auto"
    require: tuple[Requirement, ...] = ("kill>=K1-",)
    without: tuple[WallName, ...] = ()
    uid_pool: UidRange = ""


class ProxySettings(Section, frozen=True, kw_only=True):
    """What the proxy of a run puts up with, where its agent has `network = "proxy"`."""

    max_connections: SomeCount = 64
    max_header_bytes: SomeBytes = 16_384
    header_timeout_s: SomeSeconds = 10.0
    connect_timeout_s: SomeSeconds = 10.0
    idle_timeout_s: SomeSeconds = 600.0


class WebhookSettings(Section, frozen=True, kw_only=True):
    """To whom the end of a run may be told, how it is signed, and for how long it is tried."""

    allow: tuple[AllowedHostText, ...] = ()
    secret_file: str = ""
    timeout_s: SomeSeconds = 10.0
    retry_delay_s: SomeSeconds = 1.0
    longest_retry_delay_s: SomeSeconds = 600.0
    give_up_after_s: SomeSeconds = 86_400.0


class Limits(Section, frozen=True, kw_only=True):
    """What one run may use; 0 is no limit."""

    memory_bytes: ByteCount = 0
    cpu_s: Seconds = 0.0
    wall_s: Seconds = 0.0
    idle_s: Seconds = 0.0
    pids: Count = 64
    open_files: Count = 1024
    file_bytes: ByteCount = 1_073_741_824
    output_bytes: ByteCount = 0
    output_events: Count = 0
    stdout_bytes: ByteCount = 0
    work_folder_bytes: ByteCount = 268_435_456


class AgentPaths(Section, frozen=True, kw_only=True):
    """What an agent sees beside the interpreter and its work folder; absolute after `load`."""

    readable: tuple[Text, ...] = ()
    writable: tuple[Text, ...] = ()


class AgentSpec(Section, frozen=True, kw_only=True):
    """One agent, ready to be started: exactly one of `entrypoint`, `command` and `callable` is set.

    `limits` are the effective ones ([limits] with the agent's own on top). A file entrypoint is absolute.
    `name` is its key in `Settings.agents`; `import_root` is the folder of the config file that declares it
    (where `package.module:attr` is looked for first), "" for a built-in agent. `callable` is what the process that
    embeds this server packed for it (`actors/callables.py`): no file, variable or flag can set it.
    """

    name: DerivedText = ""
    import_root: DerivedText = ""
    callable: DerivedBytes = b""
    description: str = ""
    entrypoint: Entrypoint = ""
    command: tuple[str, ...] = ()
    options: dict[OptionName, SecretData] = {}
    env: dict[VariableName, SecretText] = {}
    preload: tuple[ModuleName, ...] = ()
    network: Network = "none"
    allow_hosts: tuple[AllowedHostText, ...] = ()
    paths: AgentPaths = AgentPaths()
    work_folder: WorkFolder = "discard"
    limits: Limits = Limits()
    restart: Restart = "temporary"
    max_concurrent: Count = 0
    approval_timeout_s: Seconds = 300.0
    approval_deadline: ApprovalDeadline = "deny"
    spawn: tuple[AgentName, ...] = ()
    on_conflict: AgentOnConflict = ""
    history: History = "none"


class Settings(Section, frozen=True, kw_only=True):
    """Everything, checked. `origins` tells for each dotted key that is not a default who set it.

    `trace_variables`: OpenTelemetry's own, where there are traces. They may hold a secret: facades alone get them.
    """

    http: HttpSettings = HttpSettings()
    auth: AuthSettings = AuthSettings()
    state: StateSettings = StateSettings()
    retention: RetentionSettings = RetentionSettings()
    runs: RunsSettings = RunsSettings()
    events: EventsSettings = EventsSettings()
    supervision: SupervisionSettings = SupervisionSettings()
    log: LogSettings = LogSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    containment: ContainmentSettings = ContainmentSettings()
    proxy: ProxySettings = ProxySettings()
    webhooks: WebhookSettings = WebhookSettings()
    limits: Limits = Limits()
    agents: dict[AgentName, AgentSpec] = {}
    config_file: DerivedText = ""
    origins: dict[str, DerivedText] = {}
    trace_variables: dict[str, DerivedText] = {}
