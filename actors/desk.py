"""What passes between one run's agent and people, on the warden's side: questions up, answers and guidance down.

A question becomes an event of the run, in its place among the others; so does guidance that the agent took. What the
agent says is untrusted: types, sizes and the number of open questions are checked here. Pure: no I/O, no clock.

`{"approval": {"prompt": …, "choices"?, "timeout_s"?, "id"?, …}}` asks; `{"steered": id, "accepted"?, "why"?}` answers
guidance.
"""

from typing import Annotated, Any

import msgspec

from .messages.to_run import Answer
from .messages.with_agent import Approval
from .records import MOST_OPEN, ApprovalRequest, Choice

ASKED, STEERED = "approval.request", "run.steered"  # the events
CHOICES: tuple[Choice, ...] = ("once", "session", "always", "deny")
LONGEST_PROMPT = 8192  # characters
LONGEST_REQUEST_BYTES = 65_536
SHORTEST_TIMEOUT_S = 0.1  # an agent that asks and lets it expire, again and again, is slow at least
LONGEST_TIMEOUT_S = 1e9
MOST_STEERS = 16  # that the agent has not answered yet
OUTCOMES_KEPT = 64  # of guidance, for who asks again
_LONGEST_WHY = 1000
_OURS = frozenset({"id", "timeout_s", "event", "timestamp", "run_id", "seq", "request_id", "expires_at"})


class _Asked(msgspec.Struct):
    prompt: Annotated[str, msgspec.Meta(max_length=LONGEST_PROMPT)]
    choices: Annotated[tuple[Choice, ...], msgspec.Meta(min_length=1, max_length=len(CHOICES))] = CHOICES
    timeout_s: Annotated[float, msgspec.Meta(ge=SHORTEST_TIMEOUT_S, le=LONGEST_TIMEOUT_S)] | None = None
    id: Annotated[str, msgspec.Meta(max_length=128)] | None = None


class _Steered(msgspec.Struct):
    steered: str
    accepted: bool = True
    why: str | None = None


class Desk:
    """One attempt's open questions, and the guidance that its agent has not answered yet."""

    def __init__(self, attempt: int, timeout_s: float | None = None) -> None:
        """`timeout_s`: for a question that has none of its own; 0: that has no deadline; None: none has one."""
        self._attempt = attempt
        self._timeout_s = timeout_s
        self._count = 0
        self._open: dict[str, str | None] = {}  # request id → what the agent calls it
        self._steers: dict[str, str] = {}  # command id → text
        self._outcomes: dict[str, str | None] = {}  # command id → why not; None: taken

    @property
    def open(self) -> int:
        """How many questions wait for a person."""
        return len(self._open)

    @property
    def is_waiting(self) -> bool:
        """Whether the agent waits for a person."""
        return bool(self._open)

    # ── questions ────────────────────────────────────────────────────────────────────────────────

    def ask(self, asked: object, timestamp: float) -> dict[str, Any] | Approval:
        """The fields of the event, at this Unix time, or the answer that says why it is none."""
        own_id = asked.get("id") if isinstance(asked, dict) else None
        try:
            request = msgspec.convert(asked, _Asked)
            if len(set(request.choices)) < len(request.choices):
                raise ValueError("a choice is offered twice")
            if len(self._open) >= MOST_OPEN:
                raise ValueError(f"{MOST_OPEN} requests are open, and no more may be")
        except (ValueError, RecursionError) as error:  # msgspec's are ValueErrors
            why = f"not an approval: {str(error)[:_LONGEST_WHY]}"
            return Approval(choice="deny", id=own_id if isinstance(own_id, str) else None, error=why)
        assert isinstance(asked, dict)
        self._count += 1
        request_id = f"approval_{self._attempt}_{self._count}"
        timeout_s = None if self._timeout_s is None else request.timeout_s or self._timeout_s
        self._open[request_id] = request.id
        return {
            "request_id": request_id,
            **{name: value for name, value in asked.items() if name not in _OURS},
            "choices": request.choices,
            "expires_at": timestamp + timeout_s if timeout_s else None,
        }

    def withdraw(self, request_id: str, why: str) -> Approval:
        """It can't go on as an event after all."""
        return Approval(choice="deny", id=self._open.pop(request_id), error=f"not an approval: {why}")

    def answer(self, answer: Answer) -> Approval | None:
        """What the agent is told; None if it was told before."""
        if answer.request_id not in self._open:
            return None
        return Approval(
            choice=answer.choice,
            id=self._open.pop(answer.request_id),
            request_id=answer.request_id,
            note=answer.note,
            timed_out=answer.timed_out,
        )

    # ── guidance ─────────────────────────────────────────────────────────────────────────────────

    def outcome(self, command_id: str) -> tuple[str | None] | None:
        """What became of guidance, in a tuple: why it was not taken, or None. None: nothing yet."""
        return (self._outcomes[command_id],) if command_id in self._outcomes else None

    def steer(self, command_id: str, text: str) -> bool:
        """Note what the agent is to be told; False if it was noted before. Raises ValueError: too much waits."""
        if command_id in self._steers:
            return False
        if len(self._steers) >= MOST_STEERS:
            raise ValueError(f"{MOST_STEERS} others wait for it to take them")
        self._steers[command_id] = text
        return True

    def close_steer(self, command_id: str, why: str | None) -> str | None:
        """This became of it. Its text, if it was open."""
        text = self._steers.pop(command_id, None)
        if text is not None:
            while len(self._outcomes) >= OUTCOMES_KEPT:
                del self._outcomes[next(iter(self._outcomes))]
            self._outcomes[command_id] = why
        return text

    def steered(self, said: dict[str, Any]) -> tuple[str, str | None, str | None]:
        """What an agent says of guidance: its id, its text if it was taken, and why it was not.

        Raises ValueError: it says no such thing, or nobody waits for it.
        """
        line = msgspec.convert(said, _Steered)
        why = None if line.accepted else (line.why or "the agent did not take it")[:_LONGEST_WHY]
        text = self.close_steer(line.steered, why)
        if text is None:
            raise ValueError("nobody waits for the answer to that guidance")
        return line.steered, text if why is None else None, why


class _Question(msgspec.Struct, gc=False):
    """What the supervisor needs of a question; its bounds are such as `Desk` gives."""

    request_id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    choices: Annotated[tuple[Choice, ...], msgspec.Meta(min_length=1, max_length=4)]
    expires_at: float | None


_question = msgspec.json.Decoder(_Question)
_QUESTION_BEGINS = b'{"event":"%b"' % ASKED.encode()


def questions(blob: bytes) -> tuple[ApprovalRequest, ...]:
    """What a lawful batch asks people."""
    if _QUESTION_BEGINS not in blob:
        return ()
    found = [_question.decode(line) for line in blob.split(b"\n") if line.startswith(_QUESTION_BEGINS)]
    return tuple(ApprovalRequest(each.request_id, each.choices, each.expires_at) for each in found)
