"""Supervisor ↔ zygote, over SEQPACKET; descriptors go along by SCM_RIGHTS."""

import msgspec

from .base import Message


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
