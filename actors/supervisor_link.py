"""The warden's end of its line to the supervisor, whichever that is.

If the supervisor dies, root starts another at the same endpoints with the same key. The warden says hello again on a
new line, and is told by an `EventsAcked` up to where the journal has its events: the rest is said again, and the last
word if it was said. What nobody hears meanwhile is not kept, but for these two: a supervisor that wants to know where
a stop stands repeats the stop. Nothing here waits.

Three things mean that no supervisor will come: root is gone, the journal does not know this run's key, or none came
within `orphan_timeout_s`.
"""

from collections.abc import Callable, Iterable

import msgspec

from . import wire
from .actor import Actor, Callback, Timer
from .mailbox import KeyPair, Line, Outbox, Post, WatchedOutbox
from .messages.from_run import Events, Exited, FromRun, Hello
from .messages.to_run import EventsAcked, ToRun
from .roles import ZygoteStart
from .unacked import Unacked

LAST_WORD_S = 5.0  # how long the exit record waits to be acked by a supervisor that is there


class SupervisorLink:
    """One warden's line. `heard` is told every message; `abandoned`, once, that nobody will ever hear again."""

    def __init__(
        self,
        actor: Actor,
        start: ZygoteStart,
        keys: KeyPair,
        supervisor_pidfd: int,
        root_pidfd: int,
        heard: Callable[[ToRun], None],
        abandoned: Callback,
    ) -> None:
        self._actor = actor
        self._start = start
        self._keys = keys
        self._root_pidfd = root_pidfd
        self._supervisor_pidfd = supervisor_pidfd
        self._heard = heard
        self._abandoned = abandoned
        self.unacked = Unacked(start.settings.events.batches_in_flight)
        self._hello: Hello | None = None
        self._last_word = b""
        self._patience: Timer | None = (
            None  # with a supervisor, for its word on the last word; without, for one
        )
        self._up = True
        self._over = False
        self.unanswered: Callable[[], Iterable[FromRun]] = tuple  # what each new supervisor is asked
        self._post = Post(start.settings.events.max_message_bytes)
        self._outbox: Outbox = self._post.outbox(start.paths.runs, keys, start.server_key)
        actor.pump(self._outbox.news, self._drain)
        actor.watch(supervisor_pidfd, self._supervisor_gone)
        actor.watch(root_pidfd, self._root_gone)

    # ── saying ───────────────────────────────────────────────────────────────────────────────────

    def greet(self, hello: Hello) -> None:
        """The first words, and those to every later supervisor."""
        self._hello = hello
        self.tell(hello)

    def tell(self, message: FromRun) -> None:
        """Say it, if there is somebody."""
        if self._up:
            self._outbox.send(wire.encode(message))

    def tell_events(self, events: Events) -> None:
        """Say it, and keep it until it is acknowledged. The caller leaves off while `unacked` is full."""
        body = wire.encode(events)
        self.unacked.add(events.count, body)
        if self._up:
            self._outbox.send(body)

    def tell_exit(self, exited: Exited) -> None:
        """The last word: kept until it is acknowledged, for `LAST_WORD_S` or as long as a supervisor may come."""
        self._last_word = wire.encode(exited)
        if self._up:
            self._say_last_word()

    def _say_last_word(self) -> None:
        self._outbox.send(self._last_word)
        self._expect(LAST_WORD_S)

    # ── hearing ──────────────────────────────────────────────────────────────────────────────────

    def _drain(self) -> bool:
        worked = False
        for body in self._outbox.drain():
            worked = True
            message = wire.to_run.decode(body)
            if isinstance(message, EventsAcked):
                self.unacked.acked(message.n)
                if not self._up:
                    self._welcomed()
            self._heard(message)
        return worked

    def _welcomed(self) -> None:
        """Another supervisor is there, and has said where the journal stands."""
        self._up = True
        self._expect(None)
        for body in self.unacked.bodies():
            self._outbox.send(body)
        for asked in self.unanswered():
            self.tell(asked)
        if self._last_word:
            self._say_last_word()

    # ── losing it ────────────────────────────────────────────────────────────────────────────────

    def _supervisor_gone(self) -> None:
        self._actor.unwatch(self._supervisor_pidfd)
        self._cut()

    def _root_gone(self) -> None:
        self._actor.unwatch(self._root_pidfd)
        self._give_up()

    def _hear_of_line(self) -> bool:
        assert isinstance(self._outbox, WatchedOutbox)
        news = list(self._outbox.line_news())
        if Line.REFUSED in news:
            self._give_up()
        elif Line.CUT in news:
            self._cut()
        return bool(news)

    def _cut(self) -> None:
        """Begin a new line with the hello: what the old one still held may arrive out of all order, or not at all."""
        if self._over:
            return
        if self._up:
            self._up = False
            self._expect(self._start.settings.runs.orphan_timeout_s)
        self._close()
        self._outbox = outbox = self._post.watched_outbox(
            self._start.paths.runs, self._keys, self._start.server_key
        )
        self._actor.pump(outbox.news, self._drain)
        self._actor.pump(outbox.line, self._hear_of_line)
        if self._hello is not None:
            hello = msgspec.structs.replace(self._hello, last_n=self.unacked.last_n)
            outbox.send(wire.encode(hello))

    def _close(self) -> None:
        self._actor.unpump(self._outbox.news)
        if isinstance(self._outbox, WatchedOutbox):
            self._actor.unpump(self._outbox.line)
        self._outbox.close()

    def _expect(self, within_s: float | None) -> None:
        """Give up after this time, unless something else is expected before; None: expect nothing."""
        if self._patience is not None:
            self._patience.cancel()
        self._patience = None if within_s is None else self._actor.after(within_s, self._give_up)

    def _give_up(self) -> None:
        if not self._over:
            self._over, self._up = True, False
            self._expect(None)
            self._abandoned()
