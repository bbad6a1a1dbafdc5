"""Spares: wardens and agents that were forked, confined and greeted before there is a run for them.

A run that takes one has its id, so nothing of it need be renamed, and begins at once; it may take one that is still
on its way. A spare has run none of the agent's code. It is no run: nothing of it is in the journal, and if its
supervisor dies the next one does not let it in, so that it ends.
"""

import contextlib
import os
import select
import signal
from dataclasses import dataclass, field
from functools import partial
from uuid import uuid4

from . import birth
from .actor import Actor
from .mailbox import KeyPair
from .messages.from_run import Hello
from .messages.with_zygote import Fork, Forked, ForkFailed
from .provisions import Provisions, asked_by, holder
from .records import ProcessIdentity, RunRecord
from .zygotes import ZygoteLink

TOP_UP_AFTER_S = 0.002  # the run that began has gone first then
_ENDED_WITHIN_S = 1.0


@dataclass(slots=True, eq=False)
class Spare:
    """One of them. `record` is that of a run which nobody asked for: its id, agent, limits, and what it was given."""

    record: RunRecord
    keys: KeyPair | None = None
    pidfd: int | None = None
    reaper: int | None = None
    warden: ProcessIdentity | None = None
    hello: tuple[bytes, Hello] | None = None  # and the connection that it came by


@dataclass(slots=True)
class _Pool:
    """Of one agent."""

    limits: dict[str, float]
    free: list[Spare] = field(default_factory=list)
    starting: set[str] = field(default_factory=set)  # runs that are on their way
    is_due: bool = False


class Spares:
    """All of a server. Nothing here blocks but `close`."""

    def __init__(
        self,
        actor: Actor,
        provisions: Provisions,
        links: dict[str, ZygoteLink],
        limits: dict[str, dict[str, float]],
        wanted: int,
        start_timeout_s: float,
        boot_id: str,
    ) -> None:
        """`links`: to fork by. `limits`: agent → those of a run that asks for none tighter.

        `wanted`: how many to have of each agent.
        """
        self._actor = actor
        self._provisions = provisions
        self._wanted = wanted
        self._start_timeout_s = start_timeout_s
        self._boot_id = boot_id
        self._pools = {agent: _Pool(of_agent) for agent, of_agent in limits.items()}
        self._reserved: dict[str, Spare] = {}  # by the id that a run was given, until it takes it
        self._links = links
        self._closed = False

    # ── taking one ───────────────────────────────────────────────────────────────────────────────

    def reserve(self, agent: str, limits: dict[str, float]) -> str | None:
        """The id of a spare that will do for a run with these limits, now kept for it; None if there is none."""
        pool = self._pools[agent]
        while pool.free and limits == pool.limits:
            spare = pool.free[0]
            if _is_dead(spare):
                self._discard(spare)
                continue
            self._reserved[spare.record.run_id] = pool.free.pop(0)
            return spare.record.run_id
        return None

    def take(self, record: RunRecord) -> Spare | None:
        """The one that was kept for this attempt, if it lives. What it was given is the run's from here on."""
        spare = self._reserved.pop(record.run_id, None)
        if spare is None:
            return None
        if record.attempt != spare.record.attempt or _is_dead(spare):
            self._discard(spare)
            return None
        if spare.pidfd is not None:
            self._actor.unwatch(spare.pidfd)
        given = spare.record
        record.warden_key, record.leaf, record.uid = given.warden_key, given.leaf, given.uid
        return spare

    # ── having some ──────────────────────────────────────────────────────────────────────────────

    def starts(self, agent: str, run_id: str) -> None:
        """This run is on its way. Until it has begun it comes first."""
        if agent in self._pools:
            self._pools[agent].starting.add(run_id)

    def started(self, agent: str, run_id: str) -> None:
        """It has begun, or never will: soon there is time for the next one."""
        pool = self._pools.get(agent)
        if pool is None:
            return
        pool.starting.discard(run_id)
        if (spare := self._reserved.pop(run_id, None)) is not None:
            self._discard(spare)
        if not pool.is_due and len(pool.free) < self._wanted and not pool.starting:
            pool.is_due = True
            self._actor.after(TOP_UP_AFTER_S, partial(self._top_up, agent))

    def _top_up(self, agent: str) -> None:
        pool, link = self._pools[agent], self._links[agent]
        pool.is_due = False
        while not self._closed and not pool.starting and len(pool.free) < self._wanted:
            if link.health != "ready" or not self._fork(agent, pool, link):
                return

    def _fork(self, agent: str, pool: _Pool, link: ZygoteLink) -> bool:
        run_id = f"run_{uuid4().hex}"
        spare = Spare(
            RunRecord(run_id=run_id, agent=agent, limits=dict(pool.limits), created_at=0.0, updated_at=0.0)
        )
        try:
            self._provisions.make_key(spare)
            asked = self._provisions.fork_for(spare, spare=True)
            self._actor.ask(
                asked_by(spare),
                partial(self._ask, link, asked, spare),
                self._start_timeout_s,
                lambda answer: self._answered(spare, *answer),
                lambda _overdue: self._discard(spare),
            )
        except OSError:
            self._actor.withdraw(asked_by(spare))
            self._discard(spare)
            return False
        pool.free.append(spare)
        return True

    def _ask(self, link: ZygoteLink, asked: Fork, spare: Spare) -> None:
        link.fork(asked, partial(self._provisions.descriptors, spare))

    def _answered(self, spare: Spare, message: Forked | ForkFailed, pidfd: int | None) -> None:
        if isinstance(message, ForkFailed) or pidfd is None:
            self._discard(spare)
            return
        spare.pidfd, spare.reaper = pidfd, self._links[spare.record.agent].pid
        try:
            spare.warden = ProcessIdentity(message.pid, birth.start_ticks(message.pid), self._boot_id)
        except ProcessLookupError:
            self._discard(spare)
            return
        self._actor.watch(pidfd, lambda: self._discard(spare))

    def greeted(self, name: str, route: bytes, hello: Hello) -> None:
        """The holder of this key said hello, and is no run's: perhaps a spare's warden."""
        for spare in self.all():
            if holder(spare) == name and hello.run_id == spare.record.run_id:
                spare.hello = route, hello

    # ── losing them ──────────────────────────────────────────────────────────────────────────────

    def zygote_died(self, agent: str) -> bool:
        """Those that were asked for never come, or nobody knows of them. Whether there were any."""
        lost = [spare for spare in self.all() if spare.record.agent == agent and spare.pidfd is None]
        for spare in lost:
            self._actor.withdraw(asked_by(spare))
            self._discard(spare)
        return bool(lost)

    def close(self) -> None:
        """End them all: the server does. Blocks until they are gone, some ms."""
        self._closed = True
        for spare in self.all():
            self._await_answer(spare)
            pidfd = None if spare.pidfd is None else os.dup(spare.pidfd)
            self._discard(spare)
            if pidfd is not None:
                _is_over(pidfd, _ENDED_WITHIN_S)
                os.close(pidfd)

    def _await_answer(self, spare: Spare) -> None:
        """One that is on its way would be nobody's."""
        link, end = self._links[spare.record.agent], self._actor.clock() + _ENDED_WITHIN_S
        while spare.pidfd is None and spare in self.all() and link.health == "ready":
            left_s = end - self._actor.clock()
            if left_s < 0:
                break
            link.hear_within(left_s)
        self._actor.withdraw(asked_by(spare))

    def _discard(self, spare: Spare) -> None:
        """Kill it, if it lives; its agent dies with it. Give back what it was given."""
        self._reserved.pop(spare.record.run_id, None)
        pool = self._pools[spare.record.agent]
        if spare in pool.free:
            pool.free.remove(spare)
        if spare.pidfd is not None:
            self._actor.unwatch(spare.pidfd)
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(spare.pidfd, signal.SIGKILL)
            os.close(spare.pidfd)
            spare.pidfd = None
        self._provisions.give_back(spare)
        # Not at once: its agent dies a moment after its warden.
        self._actor.after(_ENDED_WITHIN_S, partial(self._provisions.give_back_user, spare.record))
        self._provisions.folders.forget(spare.record.run_id)

    def all(self) -> list[Spare]:
        """Those that wait, or were asked for."""
        free = [spare for pool in self._pools.values() for spare in pool.free]
        return [*free, *self._reserved.values()]


def _is_dead(spare: Spare) -> bool:
    """Though the loop has not come to hear of it."""
    return spare.pidfd is not None and _is_over(spare.pidfd, 0)


def _is_over(pidfd: int, within_s: float) -> bool:
    """Not by select(2), which knows no descriptor from 1024 on: a supervisor with many runs has more."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(within_s * 1000))
