"""The actor: one thread, one thing at a time. Root, supervisor, zygote and warden each are one.

A turn drains the mailboxes, waits for a descriptor or a timer, calls what is due, and ends with `turn_ended`, where
a subclass commits and sends what the turn decided. Nothing in a turn may block. Plain epoll, no asyncio: a warden
must be small, and a loop that can be read in a minute is one that can be trusted with a kill.
"""

import heapq
import itertools
import os
import select
import signal
import time
from collections.abc import Callable, Hashable
from typing import Any

from .containment import linux
from .errors import AskTimeout
from .news import News

Callback = Callable[[], None]
Pump = Callable[[], bool]
_FOREVER = -1.0
_FEW_TIMERS = 1000  # are no matter, even if all of them are cancelled
_LONGEST_S = 86_400.0  # epoll_wait(2) takes no more than 2**31 ms; who has longer looks again


class Timer:
    """A call that is due at a time; `cancel` it or let it fire once."""

    __slots__ = ("callback", "due")

    def __init__(self, due: float, callback: Callback) -> None:
        self.due = due
        self.callback: Callback | None = callback

    def cancel(self) -> None:
        """Don't call. Harmless after it fired."""
        self.callback = None


class Actor:
    """A loop over descriptors, mailboxes, timers and signals. All calls belong to its own thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callback] = {}
        self._pumps: list[tuple[News, Pump]] = []
        self._timers: list[tuple[float, int, Timer]] = []
        self._most_timers = _FEW_TIMERS
        self._order = itertools.count()
        self._asked: dict[Hashable, tuple[Timer, Callable[[Any], None]]] = {}
        self._signals: dict[int, Callback] = {}
        self._wakeup: tuple[int, int] | None = None
        self._running = True

    # ── what to wait for ─────────────────────────────────────────────────────────────────────────

    def watch(self, fd: int, callback: Callback, events: int = select.EPOLLIN) -> None:
        """Call back whenever `fd` is readable (or what `events` says) or hung up, level-triggered."""
        self._callbacks[fd] = callback
        self._epoll.register(fd, events)

    def unwatch(self, fd: int) -> None:
        """Wait for it no more; harmless if it was not watched. Call it before closing `fd`."""
        if self._callbacks.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def pump(self, news: News, drain: Pump) -> None:
        """Call `drain` at the next turn after there may be news, and again while it says that there were some."""

        def woken() -> None:
            news.may_be = True

        self._pumps = [*self._pumps, (news, drain)]
        self._callbacks[news.fd] = woken
        self._epoll.register(news.fd, select.EPOLLIN | select.EPOLLET)

    def unpump(self, news: News) -> None:
        """Undo `pump`. Call it before closing the socket; in this turn it may still be drained once."""
        self._pumps = [pump for pump in self._pumps if pump[0] is not news]
        self.unwatch(news.fd)

    def after(self, delay_s: float, callback: Callback) -> Timer:
        """Call back once, `delay_s` from now."""
        timer = Timer(self.clock() + delay_s, callback)
        heapq.heappush(self._timers, (timer.due, next(self._order), timer))
        if len(self._timers) > self._most_timers:
            self._drop_cancelled()
        return timer

    def on_signal(self, number: int, callback: Callback) -> None:
        """Call back in a turn, not in the middle of one, when this process gets the signal."""
        if self._wakeup is None:
            self._wakeup = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
            signal.set_wakeup_fd(self._wakeup[1], warn_on_full_buffer=False)
            self.watch(self._wakeup[0], self._signalled)
        self._signals[number] = callback
        linux.set_handler(number, _note_signal)

    # ── asking ───────────────────────────────────────────────────────────────────────────────────

    def ask(
        self,
        key: Hashable,
        tell: Callback,
        deadline_s: float,
        answered: Callable[[Any], None],
        failed: Callable[[AskTimeout], None],
    ) -> None:
        """Tell, and expect `answer(key, …)` within `deadline_s`; else `failed`. Asking again replaces the old ask."""

        def overdue() -> None:
            del self._asked[key]
            failed(AskTimeout(f"no answer to {key} within {deadline_s} s"))

        self.withdraw(key)
        self._asked[key] = (self.after(deadline_s, overdue), answered)
        tell()

    def answer(self, key: Hashable, message: Any) -> bool:
        """Give the answer to whoever asked; False if nobody did, or no longer does."""
        asked = self._asked.pop(key, None)
        if asked is None:
            return False
        timer, answered = asked
        timer.cancel()
        answered(message)
        return True

    def withdraw(self, key: Hashable) -> None:
        """Expect no answer any more."""
        asked = self._asked.pop(key, None)
        if asked is not None:
            asked[0].cancel()

    # ── the loop ─────────────────────────────────────────────────────────────────────────────────

    def run(self) -> None:
        """Turn until `stop` is called."""
        while self._running:
            self.turn()

    def stop(self) -> None:
        """Make this turn the last."""
        self._running = False

    def turn(self) -> None:
        """One turn: drain, wait, call, end."""
        worked = False
        for news, drain in self._pumps:
            if news.may_be:
                news.may_be = False  # before, for draining may do things to it
                if drain():
                    news.may_be = worked = True
        if worked:
            self.turn_ended()
        ready = [(fd, self._callbacks.get(fd)) for fd, _ in self._epoll.poll(self._wait_s())]
        for fd, callback in ready:
            # An earlier call may have closed it, and the number may be another's by now.
            if callback is not None and self._callbacks.get(fd) is callback:
                callback()
        self._fire_due()
        self.turn_ended()

    def turn_ended(self) -> None:
        """For a subclass: commit and send what this turn decided."""

    def close(self) -> None:
        """Give the loop's own descriptors back."""
        self._epoll.close()
        if self._wakeup is not None:
            signal.set_wakeup_fd(-1)
            for fd in self._wakeup:
                os.close(fd)
            self._wakeup = None

    def _drop_cancelled(self) -> None:
        """Those that are due in an hour would be kept till then, however many there come to be."""
        self._timers = [each for each in self._timers if each[2].callback is not None]
        heapq.heapify(self._timers)
        self._most_timers = max(_FEW_TIMERS, 2 * len(self._timers))

    def _wait_s(self) -> float:
        for news, _ in self._pumps:
            if news.may_be:
                return 0
        while self._timers and self._timers[0][2].callback is None:
            heapq.heappop(self._timers)
        if not self._timers:
            return _FOREVER
        return min(max(0.0, self._timers[0][0] - self.clock()), _LONGEST_S)

    def _fire_due(self) -> None:
        now, newest = self.clock(), next(self._order)
        while self._timers and self._timers[0][:2] <= (now, newest):
            timer = heapq.heappop(self._timers)[2]
            if timer.callback is not None:
                callback, timer.callback = timer.callback, None
                callback()

    def _signalled(self) -> None:
        assert self._wakeup is not None
        # Of two that came at once the kernel runs the handler of the higher number first; senders begin with SIGINT.
        for number in sorted(set(os.read(self._wakeup[0], 4096))):
            callback = self._signals.get(number)
            if callback is not None:
                callback()


def _note_signal(_number: int, _frame: object) -> None:
    """The wake-up descriptor carries the number to the loop."""
