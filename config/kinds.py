"""What a value may be: the annotated types that the sections are made of.

A type carries its range, its words for an error message, and whether its value may be shown.
The unit is not here: it is the end of the key's name (`_s`, `_ms`, `_bytes`).
"""

from typing import Annotated, Any, Literal

from msgspec import Meta

# Far above any use, and still exact in every place a number goes to: msgpack, SQLite, a C long.
LARGEST_BYTES = 2**62
LARGEST_COUNT = 2**31 - 1
LONGEST_S = 1e9

Port = Annotated[int, Meta(ge=0, le=65535)]
Count = Annotated[int, Meta(ge=0, le=LARGEST_COUNT)]
SomeCount = Annotated[int, Meta(ge=1, le=LARGEST_COUNT)]
ByteCount = Annotated[int, Meta(ge=0, le=LARGEST_BYTES)]
SomeBytes = Annotated[int, Meta(ge=1, le=LARGEST_BYTES)]
Seconds = Annotated[float, Meta(ge=0, le=LONGEST_S)]
SomeSeconds = Annotated[float, Meta(gt=0, le=LONGEST_S)]
Rate = Annotated[float, Meta(gt=0, le=1e6)]
WholeSeconds = Annotated[int, Meta(ge=1, le=int(LONGEST_S))]
Milliseconds = Annotated[int, Meta(ge=0, le=LARGEST_COUNT)]

Host = Annotated[
    str,
    Meta(pattern=r"\A[^\s/]+\Z", description="a host name or address, without scheme or path"),
]
AllowedHostText = Annotated[
    str,
    Meta(pattern=r"\A[!-~]+\Z", description="a host, an address or a network, with or without a port"),
]
Origin = Annotated[
    str,
    Meta(pattern=r"\Ahttps?://[^\s/*]+\Z", description="an origin such as https://example.com"),
]
Text = Annotated[str, Meta(pattern=r"\A(?s:.)+\Z", description="a text that is not empty")]

AgentName = Annotated[
    str,
    Meta(
        pattern=r"\A[a-z0-9][a-z0-9_-]{0,63}\Z",
        description="a name of 1 to 64 of a-z, 0-9, _ and -, beginning with a letter or digit",
    ),
]
KeyName = Annotated[
    str,
    Meta(
        pattern=r"\A[A-Za-z0-9][A-Za-z0-9._@-]{0,63}\Z",
        description="a name of 1 to 64 letters, digits, and . _ @ -, beginning with a letter or digit",
    ),
]
KeyHash = Annotated[
    str,
    Meta(
        pattern=r"\Asha256:[0-9a-f]{64}\Z",
        description='"sha256:" and 64 lower-case hex digits (the hash of the key, never the key)',
        extra={"secret": "hash"},
    ),
]
Entrypoint = Annotated[
    str,
    Meta(
        # Empty is the default: the agent has a command instead.
        pattern=r"\A(|[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*|.+\.py:[^\W\d]\w*(\.[^\W\d]\w*)*)\Z",
        description='"package.module:attr" or "path/file.py:attr"',
    ),
]
ModuleName = Annotated[
    str, Meta(pattern=r"\A[^\W\d]\w*(\.[^\W\d]\w*)*\Z", description='a module name such as "numpy"')
]
OptionName = Annotated[str, Meta(pattern=r"\A[^\W\d]\w*\Z", description="the name of a keyword argument")]
VariableName = Annotated[
    str, Meta(pattern=r"\A[A-Za-z_][A-Za-z0-9_]*\Z", description="the name of an environment variable")
]
# An agent's options and environment are where its own keys and tokens are put: never echoed.
SecretText = Annotated[str, Meta(extra={"secret": "all"})]
SecretData = Annotated[Any, Meta(extra={"secret": "all"})]
# Worked out while loading, so not a key that anyone may set.
DerivedText = Annotated[str, Meta(extra={"derived": True})]
DerivedBytes = Annotated[bytes, Meta(extra={"derived": True})]

Role = Literal["run", "read", "operate"]
AuthMode = Literal["key", "none"]
LogFormat = Literal["auto", "json", "text"]
Synchronous = Literal["normal", "full"]
KillWay = Literal["auto", "cgroup", "pidns", "uid", "scope", "subreaper", "group"]
Network = Literal["none", "proxy", "host"]
UidRange = Annotated[
    str,
    Meta(
        pattern=r"\A(|[1-9][0-9]{0,9}-[1-9][0-9]{0,9})\Z",
        description='"", or "FIRST-LAST" such as "700000-704095"',
    ),
]
WorkFolder = Literal["discard", "keep"]
WallName = Literal["mounts", "ipc", "uts", "network", "landlock", "uid", "capabilities", "seccomp"]
Restart = Literal["temporary", "transient", "permanent"]
ApprovalDeadline = Literal["deny", "stop", "wait"]
OnConflict = Literal["queue", "reject", "interrupt", "parallel"]
AgentOnConflict = Literal["", "queue", "reject", "interrupt", "parallel"]
History = Literal["none", "session"]
BuiltinAgent = Literal["echo", "count", "crash", "spin", "hog", "smollm"]
Requirement = Annotated[
    str,
    Meta(
        pattern=r"\A(kill>=(K0|K1-|K1|K2|K3|K4)|memory|pids|network|files|secrets)\Z",
        description='"kill>=RUNG" (K0, K1-, K1, K2, K3, K4) or one of memory, pids, network, files, secrets',
    ),
]
