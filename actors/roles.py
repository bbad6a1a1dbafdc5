"""What each process is born with. Handed over once, through an inherited pipe, never by argument or environment.

Light on purpose: root makes these without importing the rooms of the processes that get them.
Descriptors are numbers that are valid in the child.
"""

import msgspec

from ..config.sections import AgentSpec, Settings
from .containment.findings import Found, Place
from .containment.report import Report


class Keys(msgspec.Struct, frozen=True):
    """A CURVE key pair, Z85 (see `mailbox.KeyPair`)."""

    public: bytes
    secret: bytes


class Paths(msgspec.Struct, frozen=True):
    """Where the sockets of one server are: a short 0700 folder, since an ipc path ends at 107 bytes."""

    runtime: str

    @property
    def commands(self) -> str:
        """ROUTER of the supervisor for facades."""
        return f"{self.runtime}/commands"

    @property
    def runs(self) -> str:
        """ROUTER of the supervisor for wardens."""
        return f"{self.runtime}/runs"

    @property
    def feed(self) -> str:
        """XPUB of the supervisor."""
        return f"{self.runtime}/feed"


class ApiKey(msgspec.Struct, frozen=True):
    """One API key, as its hash: `sha256:` and 64 hexadecimal digits of the key's UTF-8 bytes."""

    name: str
    role: str
    hash: str


class KeyCaps(msgspec.Struct, frozen=True):
    """What the owner of one API key may have at once; 0: what everybody may."""

    max_live: int
    max_queued: int


class SupervisorStart(msgspec.Struct, frozen=True, kw_only=True):
    """For `supervisor.begin`."""

    settings: Settings
    control_fd: int  # SEQPACKET to root
    paths: Paths
    state_dir: str
    server_keys: Keys
    facade_keys: dict[str, bytes]  # name → public key
    found: Found  # what holds every run here
    is_first: bool = True  # of this server
    starts: int = 1  # how often this server has started a supervisor
    key_caps: dict[str, KeyCaps] = {}  # by the key's name
    predecessor_fd: int = -1  # pidfd of the supervisor that this one is to replace; -1: there is none


LINK_NOTE = "link"  # in the state folder while the one-time token may be used: who removes it has used it


class FacadeStart(msgspec.Struct, frozen=True, kw_only=True):
    """For `http.app.begin`."""

    settings: Settings
    index: int  # from 1
    listen_fd: int
    control_fd: int  # SEQPACKET to root
    paths: Paths
    state_dir: str
    keys: Keys
    server_key: bytes  # the supervisor's public key
    api_keys: list[ApiKey]
    cookie_secret: bytes
    link_token_hash: str  # of the one-time token in the link that `serve` prints; "" for none
    starts: int = 1  # how often this server has started a facade of this index
    webhook_secrets: list[bytes] = []  # of the facade that tells webhooks; none of any other
    report: Report  # what holds every run here, and what could not be had


class JanitorStart(msgspec.Struct, frozen=True):
    """For `janitor.begin`."""

    folder: str  # to be emptied


class ZygoteStart(msgspec.Struct, frozen=True, kw_only=True):
    """For `zygote.begin`: one agent's, and nothing secret."""

    name: str
    spec: AgentSpec
    settings: Settings
    control_fd: int  # SEQPACKET to the supervisor
    root_pidfd: int  # for wardens: with root gone no other supervisor comes
    paths: Paths
    server_key: bytes
    boot_id: str
    kill_rung: str  # the mechanism that holds this agent's runs: a name in `containment.rungs.RUNGS`
    lower_rung: str = ""  # if it can't have the walls that that needs; "": it has no runs then
    user_namespace: bool  # whether the pid namespace needs one
    walls: tuple[str, ...] = ()  # that its runs get
    places: tuple[Place, ...] = ()  # where the leaves of its runs are
