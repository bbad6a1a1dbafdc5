"""Which module may import what. To change the design, change it here, and say why in `docs/decisions/`.

A name stands for itself and for everything below it: `actors.journal` is the whole folder. The most
particular line wins, so `actors.root` is held by its own line and not by that of `actors`.
"""

# Who may import which of our modules.
MAY_IMPORT: dict[str, set[str]] = {
    # Rooms, from the outside in.
    "bin": {"bin", "http", "config"},
    "bin.serve": {"bin", "http", "config", "actors.root", "actors.errors"},
    "bin.checkout": {"bin.checkout"},  # runs before anything is installed
    "http": {
        "http",
        "config",
        "actors.messages",
        "actors.errors",
        "actors.mailbox",
        "actors.journal.reader",
        "actors.procfs",
        "actors.wire",
    },
    "actors": {"actors", "config"},
    "config": {"config"},
    # The one process that knows both sides, because it starts both.
    "actors.root": {"actors", "config", "http.app"},
    # What is decided, without doing it: state × message → state and effects.
    "actors.errors": set(),
    "actors.records": {"actors.errors"},
    "actors.messages": {"actors.errors", "actors.records"},
    "actors.wire": {"actors.errors", "actors.messages"},
    "actors.lifecycle": {"actors.errors", "actors.messages"},
    "actors.stopping": {"actors.errors", "actors.messages"},
    "actors.restart": {"actors.errors", "actors.messages"},
    "actors.limits": {"actors.errors", "actors.messages"},
    "actors.admission": {"actors.errors", "actors.messages", "actors.limits"},
}

# What a module must not reach, by whatever way round: these processes run beside, or are, untrusted code, and
# each of the thousand pays for what it loads.
MUST_NOT_REACH: dict[str, set[str]] = {
    "actors.warden": {"actors.supervisor", "actors.journal", "http", "aiohttp", "sqlite3"},
    "actors.agent": {
        "actors.supervisor",
        "actors.journal",
        "actors.mailbox",
        "http",
        "aiohttp",
        "sqlite3",
        "zmq",
    },
    "actors.zygote": {"actors.supervisor", "actors.journal", "http", "aiohttp", "sqlite3"},
}

# Who alone may import a library: one outside library, one place that knows it.
ONLY_IN: dict[str, set[str]] = {
    "aiohttp": {"http"},
    "ctypes": {"actors.containment.linux"},
    "dill": {"actors.spawning"},
    "multiprocess": {"actors.spawning"},
    "rich": {"bin"},
    "sqlite3": {"actors.journal"},
    "typer": {"bin"},
    "zmq": {"actors.mailbox"},
    # Nothing that comes from a run is ever unpickled, and the surest way is to have nobody who could.
    "marshal": set(),
    "pickle": set(),
    "shelve": set(),
}

# Decides, and neither acts nor looks at a clock: both are its arguments.
PURE = {
    "actors.lifecycle",
    "actors.stopping",
    "actors.restart",
    "actors.limits",
    "actors.admission",
    "actors.messages",
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
