"""What can go wrong between actors, named for what happened.

The http room holds one table from these to status codes; nothing here knows a status code. A run that crashes
is not an error of ours: it is an `Exited` message.
"""


class RunwardError(Exception):
    """The base of every error that runward raises on purpose."""


class BadMessage(RunwardError):
    """A peer sent bytes that are not a message of its direction (theirs, not ours).

    `body` keeps the first bytes for the log; the cause is chained.
    """

    def __init__(self, direction: str, body: bytes) -> None:
        super().__init__(f"not a message {direction}: {body[:64]!r}{'…' if len(body) > 64 else ''}")
        self.body = body[:64]


class AskTimeout(RunwardError):
    """An ask got no answer within its deadline; whether it was acted on is not known."""


class Unreachable(RunwardError):
    """The peer's mailbox is gone or full, so the message was not taken."""


class Refused(RunwardError):
    """The supervisor understood a command and said no.

    `code` is one of the codes of `messages.Refusal`; `param` names the field that is to blame, if one is; `status`
    is the run's, where that is the reason.
    """

    def __init__(
        self,
        code: str,
        message: str,
        param: str | None = None,
        retry_after_s: float | None = None,
        status: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.param = param
        self.retry_after_s = retry_after_s
        self.status = status


class StateFolderTaken(RunwardError):
    """Another server holds the lock of this state folder."""


class StateFolderUnusable(RunwardError):
    """The state folder can't hold a journal: read-only, on a network file system, of a newer version."""


class StateFolderFull(StateFolderUnusable):
    """There is no room for a journal on the disk of the state folder."""


class ContainmentMissing(RunwardError):
    """This machine can't hold what `containment.require` asks for."""


class WallFailed(RunwardError, OSError):
    """A wall that this machine could raise when it was asked can't be raised now. `errno` is the kernel's."""

    def __init__(self, wall: str, cause: OSError) -> None:
        super().__init__(cause.errno, f"the wall {wall!r} can't be raised: {cause.strerror}")


class JournalFull(RunwardError):
    """The journal's disk has no room. All since the last commit is undone; it may be tried again."""


class CannotTakeOver(RunwardError):
    """This version, or these settings, can't take a live server over; that one goes on as it is."""


class SecretUnusable(RunwardError):
    """The file of a secret can't be read, or holds none."""


class PortTaken(RunwardError):
    """The address can't be listened on."""
