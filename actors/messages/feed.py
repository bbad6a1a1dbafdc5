"""Supervisor → facades: the feed (XPUB), topic = run id. It may drop; the journal can't."""

from .base import Message


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
