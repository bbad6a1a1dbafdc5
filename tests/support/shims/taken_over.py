"""A warden that was taken over: at the input `forge WHAT RUN_ID` it sends, by its own key and connection, what no
warden of ours would, and else does its work."""

from runward.actors import warden, wire
from runward.actors.messages.from_run import Claim, Events, Exited, ExitRecord
from runward.actors.messages.to_run import Go, ToRun

OWN_END = b'{"event":"run.completed","timestamp":1.0,"output":"forged"}\n'
LAWFUL = b'{"event":"note.forged","timestamp":1.0}\n'
FORGED_END = ExitRecord(
    last_n=0,
    code=0,
    signal=None,
    rung=None,
    stopped=False,
    limit=None,
    claim=Claim(kind="completed", output=b'"forged"'),
    took_ms=None,
    proof="pidns",
    survivors=[],
    max_rss_bytes=0,
    cpu_s=0.0,
    stderr_tail="",
    ended_at=1.0,
)

_receive = warden.Warden._receive


def receive(self: warden.Warden, message: ToRun) -> None:
    """In place of `Warden._receive`."""
    if isinstance(message, Go) and message.given.input.startswith("forge "):
        _, what, run_id = message.given.input.split()
        for body in _forged(what, run_id, self._run_id):
            self._supervisor._outbox.send(body)
    _receive(self, message)


def _forged(what: str, other: str, own: str) -> list[bytes]:
    match what:
        case "the-end-of-another":
            return [wire.encode(Exited(other, 1, FORGED_END))]
        case "events-of-another":
            return [wire.encode(Events(other, 1, 1, 1, LAWFUL))]
        case "its-own-end":
            return [wire.encode(Events(own, 1, 1, 1, OWN_END))]
        case "a-later-attempt":
            return [wire.encode(Events(own, 2, 1, 1, LAWFUL))]
        case "a-gap":
            return [wire.encode(Events(own, 1, 5, 1, LAWFUL))]
        case "too-much-at-once":
            return [wire.encode(Events(own, 1, n, 1, LAWFUL)) for n in range(1, 1000)]
        case "a-false-count":
            return [wire.encode(Events(own, 1, 1, 3, LAWFUL))]
        case "a-batch-again":
            return [wire.encode(Events(own, 1, 1, 1, LAWFUL))] * 3
        case _:
            return [b"\xff" + what.encode() * 100]


warden.Warden._receive = receive  # type: ignore[method-assign]
