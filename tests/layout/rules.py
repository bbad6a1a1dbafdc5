"""Which module may import what. To change the design, change it here, and say why in `docs/decisions/`.

A name stands for itself and for everything below it: `actors.journal` is the whole folder. The most
particular line wins, so `actors.root` is held by its own line and not by that of `actors`.
"""

# What is said between processes, and the record of a run: every room of the runtime knows these words.
WORDS = {"actors.errors", "actors.messages", "actors.records"}
# What a facade needs: to ask the supervisor, to read what happened, and to know what it was started with.
FACADE = {
    *{"http", "config"},
    *WORDS,
    *{
        "actors.containment.report",
        "actors.figures",
        "actors.mailbox",
        "actors.wire",
        "actors.journal.reader",
        "actors.kept_files",
        "actors.logs",
        "actors.own_address",
        "actors.procfs",
        "actors.reachable",
        "actors.roles",
        "actors.server_log",
    },
}
# What an embedding process needs: to start the server, and to talk to it as any client does.
CLIENT = {"http.api_client", "http.api_errors", "http.api_results", "http.api_types"}
EMBEDDING = {*CLIENT, "actors.embedding", "actors.server_process"}

# Who may import which of our modules.
MAY_IMPORT: dict[str, set[str]] = {
    # Rooms, from the outside in.
    "bin": {"bin", "http", "config", *WORDS},
    "bin.serve": {"bin", "http", "config", "actors.root", "actors.errors", "actors.embedding"},
    "bin.doctor": {"bin", "http", "config", "actors.containment", "actors.errors"},
    "bin.demo.server": {"bin", "http", "actors.server_process"},  # it shows a server as others see it
    "bin.checkout": {"bin.checkout"},  # runs before anything is installed
    "http": FACADE,
    "actors": {"actors", "config"},
    "config": {"config"},
    # The one process that knows both sides, because it starts both.
    "actors.root": {"actors", "config", "http.facade_process"},
    # On the other side of the port: whoever embeds a server is its client, and no part of it.
    "actors.embedded_server": {*EMBEDDING, "actors.callables", "actors.errors"},
    "actors.running": {*EMBEDDING, "actors.callables", "actors.embedded_server", "actors.records"},
    # A facade is a process of ours: what each does first, it does too.
    "http.app": {*FACADE, "actors.birth"},
    # What is decided, without doing it: state × message → state and effects.
    "actors.errors": set(),
    "actors.records": {"actors.errors"},
    "actors.messages": WORDS,
    "actors.wire": WORDS,
    "actors.figures": WORDS,
    "actors.reported": {"actors.figures"},
    "actors.lifecycle": WORDS,
    "actors.stopping": WORDS,
    "actors.restart": WORDS,
    "actors.admission": WORDS,
    "actors.desk": WORDS,
    "actors.intake": {*WORDS, "actors.desk"},
    "actors.run_queue": {"actors.admission"},
    "actors.limits": {*WORDS, "config.sections"},
    "actors.verdict": {*WORDS, "actors.lifecycle"},
}

# What a module must not reach, by whatever way round: these processes run beside, or are, untrusted code, and
# each of the thousand pays for what it loads.
SUPERVISION = {"actors.supervisor", "actors.journal", "http", "aiohttp", "psutil", "sqlite3"}
MUST_NOT_REACH: dict[str, set[str]] = {
    "actors.zygote": SUPERVISION,
    "actors.warden": SUPERVISION,
    "actors.agent": {*SUPERVISION, "actors.mailbox", "actors.warden", "zmq"},
}

# Who alone may import a library: one outside library, one place that knows it.
ONLY_IN: dict[str, set[str]] = {
    "agents": {"actors.frameworks.openai_agents"},
    "aiohttp": {"http"},
    "ctypes": {"actors.containment.linux"},
    "dill": {"actors.callables"},
    "langchain_core": {"actors.frameworks.langgraph"},
    "multiprocess": {"actors.spawning"},
    "opentelemetry": {"http.tracing"},
    "pydantic_ai": {"actors.frameworks.pydantic_ai"},
    "psutil": {"bin"},
    "rich": {"bin"},
    "run_agent": {"actors.hermes"},
    "setproctitle": {"actors.birth"},
    "smolagents": {"actors.frameworks.smolagents"},
    "sqlite3": {"actors.journal"},
    "textual": {"bin.top_screen"},
    "typer": set(),  # it costs a command 150 ms to begin
    "tools": {"actors.hermes"},
    "xllamacpp": {"actors.smollm"},
    "yarl": {"http"},
    "zmq": {"actors.mailbox"},
    # Nothing that comes from a run is ever unpickled, and the surest way is to have nobody who could.
    "marshal": set(),
    "pickle": set(),
    "shelve": set(),
}

# Decides, and neither acts nor looks at a clock: both are its arguments.
PURE = {
    "actors.admission",
    "actors.command_lines",
    "actors.desk",
    "actors.errors",
    "actors.figures",
    "actors.intake",
    "actors.lifecycle",
    "actors.limits",
    "actors.messages",
    "actors.records",
    "actors.reported",
    "actors.restart",
    "actors.run_queue",
    "actors.stopping",
    "actors.verdict",
    "actors.wire",
}
IMPURE_LIBRARIES = {
    "asyncio",
    "datetime",
    "os",
    "pathlib",
    "random",
    "secrets",
    "selectors",
    "socket",
    "subprocess",
    "threading",
    "time",
    "uuid",
}
