"""Root ↔ supervisor and facade, over SEQPACKET."""

from .base import Message

MESSAGE_BYTES = (
    262_144  # none is longer: a socket of the usual size takes no more at once (SO_SNDBUF, socket(7))
)


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
    """To root: end every process of an agent that came to it as an orphan, and these. Answered by `OrphansSwept`.

    For a kill rung without a namespace, when a warden and its zygote were both killed: what the run left is root's.
    """

    end: list[int] = []  # wardens that are nobody's


class OrphansSwept(Message, frozen=True, tag="swept"):
    """From root: of what was to be ended only `survivors` are left. `wardens` lost their zygotes, and live."""

    survivors: list[int] = []
    wardens: list[int] = []


class Drain(Message, frozen=True, tag="drain"):
    """To a supervisor: take and begin no more runs, and end once none is live. `ShutDown` ends the patience."""


FromRole = Ready | Standby | CannotServe | SweepOrphans
ToRole = ShutDown | OrphansSwept | Drain
