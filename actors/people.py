"""What passes between an agent and people, in the agent's process: its questions, which wait, and their guidance."""

import itertools
import os
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Lock
from typing import Any

from .channel import Channel, event_line, to_json
from .interruption import Interrupted, Interruption, apart
from .messages.with_agent import Approval, Guidance

#: Takes guidance, in any thread; returns why not, or None.
Listener = Callable[[str], str | None]


class Choice(str):
    """What was chosen: "once", "session", "always" or "deny". `note`: what the person said with it.

    `timed_out`: nobody chose in time, and the agent's `approval_deadline` denied it.
    """

    note: str | None
    timed_out: bool

    def __new__(cls, choice: str, note: str | None = None, timed_out: bool = False) -> "Choice":
        made = super().__new__(cls, choice)
        made.note, made.timed_out = note, timed_out
        return made


class People:
    """Every method may be called from any thread; `answered` and `told` are the control thread's."""

    def __init__(self, channel: Channel, interruption: Interruption) -> None:
        self._pid = os.getpid()
        self._channel = channel
        self._interruption = interruption
        self._asking: dict[str, SimpleQueue[Approval | None]] = {}
        self._ids = itertools.count(1)
        self._lock = Lock()
        self._listener: Listener | None = None
        self._early: list[Guidance] = []
        self._texts: list[str] = []
        interruption.woken = self._wake

    # ── questions ────────────────────────────────────────────────────────────────────────────────

    def ask(self, fields: dict[str, Any]) -> Choice:
        """Ask, and wait for the answer. Raises Interrupted, ValueError if it is no question, TypeError if no JSON.

        RuntimeError: this process was forked by the agent's, and would not hear the answer.
        """
        if os.getpid() != self._pid:
            raise RuntimeError("only the agent's own process can ask people, not one that it forked")
        own_id = str(next(self._ids))
        event_line("approval.request", fields)  # for its error, which names the field
        line = b'{"approval":' + to_json({**fields, "id": own_id}) + b"}\n"
        reply: SimpleQueue[Approval | None] = SimpleQueue()
        self._asking[own_id] = reply
        try:
            if self._interruption.wished:
                raise Interrupted("interrupted")
            self._channel.write(line)
            answer = reply.get()
        finally:
            del self._asking[own_id]
        if answer is None:
            raise Interrupted("interrupted")
        if answer.error is not None:
            raise ValueError(answer.error)
        return Choice(answer.choice, answer.note, answer.timed_out)

    def answered(self, answer: Approval) -> None:
        """The warden has the answer to one of them."""
        reply = self._asking.get(answer.id or "")
        if reply is not None:
            reply.put(answer)

    def _wake(self) -> None:
        """The run is to end: nobody waits on."""
        for reply in list(self._asking.values()):
            reply.put(None)

    # ── guidance ─────────────────────────────────────────────────────────────────────────────────

    def guidance(self) -> list[str]:
        """What came since the last call; does not block. From the first call on, what comes is taken."""
        if self._listener is None:
            self._listen(self._keep)
        with self._lock:
            texts, self._texts = self._texts, []
        return texts

    @contextmanager
    def heeded_by(self, listener: Listener) -> Iterator[None]:
        """Give guidance to `listener` inside the block, each in a thread of its own."""
        self._listen(listener)
        try:
            yield
        finally:
            self._listener = None

    def told(self, guidance: Guidance) -> None:
        """Guidance came. Never blocks: an agent's `steer` may hang."""
        with self._lock:
            listener = self._listener
            if listener is None:
                now = time.monotonic()
                self._early = [*(each for each in self._early if each.until > now), guidance]
        if listener is not None:
            apart(lambda _: self._give(listener, guidance), "")

    def _listen(self, listener: Listener) -> None:
        with self._lock:
            self._listener = listener
            early, self._early = self._early, []
        for guidance in early:
            self._give(listener, guidance)

    def _give(self, listener: Listener, guidance: Guidance) -> None:
        if time.monotonic() > guidance.until:
            return
        try:
            why = listener(guidance.text)
        except Interrupted:
            raise
        except (Exception, SystemExit):  # noqa: BLE001  # the agent's own code
            traceback.print_exc()
            why = "the agent's steer raised; its log says what"
        said: dict[str, Any] = {"steered": guidance.id}
        if why is not None:
            said |= {"accepted": False, "why": why}
        self._channel.write(to_json(said) + b"\n")

    def _keep(self, text: str) -> None:
        with self._lock:
            self._texts.append(text)
