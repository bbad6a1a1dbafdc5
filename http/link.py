"""This facade's end of the supervisor's two sockets: commands that are answered, and the feed.

A command keeps its id when it is sent again, so a supervisor that died between the journal and the answer
does not act twice: whatever is unanswered is sent again to the next one as soon as that is there. ZeroMQ's
descriptors only say "look again", and sending can eat that (see `actors.mailbox`), so every send is
followed by a drain.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import TypeVar
from uuid import uuid4

from ..actors import wire
from ..actors.errors import AskTimeout, BadMessage, Refused
from ..actors.mailbox import KeyPair, Line, Post
from ..actors.messages.answers import FromSupervisor, Refusal
from ..actors.messages.commands import ToSupervisor
from ..actors.messages.feed import Published, RunsChanged
from ..actors.roles import Paths

Answer = TypeVar("Answer", bound=FromSupervisor)

SENDINGS = 2  # how often a command is sent within its deadline
TURN_BYTES = 65_536  # of the feed taken in one turn of the loop: the rest waits while others have theirs
TURN_MESSAGES = 256
LEAVE_S = 0.1


def new_id() -> str:
    """An id that no other command has."""
    return uuid4().hex


class Link:
    """Asks the supervisor and hears its feed. Belongs to one event loop."""

    def __init__(self, post: Post, paths: Paths, keys: KeyPair, server_key: bytes) -> None:
        self._loop = asyncio.get_running_loop()
        self._outbox = post.watched_outbox(paths.commands, keys, server_key)
        self._feed = post.subscription(paths.feed, keys, server_key)
        self._asked: dict[str, tuple[bytes, asyncio.Future[FromSupervisor]]] = {}
        self._was_cut = False
        self._hear: Callable[[str, Published, bytes], None] = _nobody
        self._heard: Callable[[], None] = _nothing
        self._changed: Callable[[int], None] = _no_change
        self._seen_to: set[asyncio.Task[None]] = set()
        self._left: list[str] = []  # and not unsubscribed yet
        self._closed = False
        self._loop.add_reader(self._outbox.news.fd, self._drain_answers)
        self._loop.add_reader(self._outbox.line.fd, self._hear_of_line)
        self._loop.call_soon(self._hear_of_line)  # what came before the first look wakes nobody
        self._loop.add_reader(self._feed.news.fd, self._drain_feed)

    def listen(
        self,
        hear: Callable[[str, Published, bytes], None],
        heard: Callable[[], None],
        changed: Callable[[int], None] | None = None,
    ) -> None:
        """Give what the feed says of a run to `hear`, of all runs to `changed`; call `heard` after each burst."""
        self._hear, self._heard, self._changed = hear, heard, changed or _no_change

    async def ask(self, command: ToSupervisor, expected: type[Answer], timeout_s: float) -> Answer:
        """The answer to `command`. Sends it again once, half-way, and to every supervisor that comes meanwhile.

        Raises `Refused` if the supervisor says no, `AskTimeout` if it says nothing, `Unreachable` if the
        mailbox is full. After the last two it may still act on the command.
        """
        body = wire.encode(command)
        answer: asyncio.Future[FromSupervisor] = self._loop.create_future()
        self._asked[command.id] = body, answer
        try:
            for _ in range(SENDINGS):
                self._send(body)
                await asyncio.wait((answer,), timeout=timeout_s / SENDINGS)
                if answer.done():
                    return _as_expected(answer.result(), expected)
        finally:
            del self._asked[command.id]
        raise AskTimeout(f"the supervisor did not answer within {timeout_s} s")

    def see_to(self, errand: Coroutine[None, None, None]) -> None:
        """Run an errand to its end, though whoever sent it has gone; it is broken off when this link closes."""
        task = self._loop.create_task(errand)
        self._seen_to.add(task)
        task.add_done_callback(self._seen_to.discard)

    def subscribe(self, run_id: str) -> None:
        """Hear this run; its welcome comes first."""
        self._feed.subscribe(run_id.encode())
        self._loop.call_soon(self._drain_feed)

    def unsubscribe(self, run_id: str) -> None:
        """Hear it no more, in a while; what is on its way still comes."""
        self._left.append(run_id)
        if len(self._left) == 1:  # each alone would wake ZeroMQ's thread, and the supervisor's
            self._loop.call_later(LEAVE_S, self._leave)

    def _leave(self) -> None:
        left, self._left = self._left, []
        if self._closed:
            return
        for run_id in left:
            self._feed.unsubscribe(run_id.encode())
        self._drain_feed()

    def close(self) -> None:
        """Close both sockets. Whoever waits for an answer gets none."""
        self._closed = True
        for errand in self._seen_to:
            errand.cancel()
        self._loop.remove_reader(self._outbox.news.fd)
        self._loop.remove_reader(self._outbox.line.fd)
        self._loop.remove_reader(self._feed.news.fd)
        self._outbox.close()
        self._feed.close()

    def _send(self, body: bytes) -> None:
        self._outbox.send(body)
        self._loop.call_soon(self._drain_answers)

    def _drain_answers(self) -> None:
        if self._closed:
            return
        taken = 0
        for body in self._outbox.drain(TURN_MESSAGES):
            taken += 1
            self._answered(body)
        if taken == TURN_MESSAGES:
            self._loop.call_soon(self._drain_answers)

    def _answered(self, body: bytes) -> None:
        try:
            message = wire.from_supervisor.decode(body)
        except BadMessage:
            return  # whoever asked runs into its deadline
        _, future = self._asked.get(message.id, (b"", None))
        if future is not None and not future.done():
            future.set_result(message)

    def _hear_of_line(self) -> None:
        """ZeroMQ makes the line again by itself, but what was on it when it broke off may be lost."""
        if self._closed:
            return
        for news in self._outbox.line_news():
            if news is Line.UP and self._was_cut:
                for body, _ in self._asked.values():
                    self._send(body)
            self._was_cut = news is Line.CUT

    def _drain_feed(self) -> None:
        if self._closed:
            return
        taken = size = 0
        for parts in self._feed.drain(TURN_MESSAGES):
            taken += 1
            size += self._published(parts)
            if size >= TURN_BYTES:
                break
        if taken:
            self._heard()
            self._loop.call_soon(self._drain_feed)

    def _published(self, parts: list[bytes]) -> int:
        if len(parts) < 2:
            return 0
        try:
            note = wire.feed.decode(parts[1])
        except BadMessage:
            return 0  # the check against the journal finds what it would have told
        if isinstance(note, RunsChanged):
            self._changed(note.last)
            return 0
        lines = parts[2] if len(parts) > 2 else b""
        self._hear(parts[0].decode(), note, lines)
        return len(lines)


def _as_expected(message: FromSupervisor, expected: type[Answer]) -> Answer:
    if isinstance(message, Refusal):
        raise Refused(message.code, message.message, message.param, message.retry_after_s, message.status)
    if not isinstance(message, expected):
        raise BadMessage("that answers this command", repr(message)[:64].encode())
    return message


def _nobody(_run_id: str, _note: Published, _lines: bytes) -> None:
    """Until somebody listens."""


def _no_change(_last: int) -> None:
    """Until somebody listens."""


def _nothing() -> None:
    """Until somebody listens."""
