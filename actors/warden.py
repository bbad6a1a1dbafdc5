"""The warden: one run's mailbox and keeper. It runs none of the agent's code, so it works when the agent does not.

It forks the agent (blocked) before it has any key or socket, says hello, lets it go, checks what it says, passes
that on in numbered batches against credit, climbs the stop ladder by its own clock, kills and reaps all that is
left, and has the last word: the exit record. Nothing is sent after that. Then it exits, which is the proof.
All of that goes on while there is no supervisor to hear it; see `supervisor_link.py`.
"""

import os
import signal
import time
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from typing import NoReturn, assert_never

from . import birth, stack_pipe, stopping
from .actor import Actor
from .agent_link import AgentLink
from .children import Children
from .climbing import Climb
from .command_lines import intake_for, start_for
from .containment import linux, rungs
from .containment.leaf import Leaf
from .containment.reaping import host_pid
from .containment.walls import Walls
from .desk import Desk
from .exit_record import Ending
from .family import Family, Lines, fork_agent
from .intake import Refused, Taken
from .limiting import Limiter
from .mailbox import KeyPair
from .messages.base import StopMode
from .messages.from_run import Claim, Events, Exited, Hello, RungReached, StackTaken
from .messages.to_run import (
    Answer,
    ChildGone,
    EventsAcked,
    ExitAcked,
    Go,
    NotSpawned,
    Spawned,
    Steer,
    Stop,
    TakeStack,
    ToRun,
)
from .messages.with_agent import EventRefused, Interrupt
from .messages.with_zygote import Fork
from .proxy_link import ProxyLink
from .records import ProcessIdentity
from .relaying import Relay
from .roles import ZygoteStart
from .stack_pipe import StackPipe
from .stdio import Stdio
from .supervisor_link import SupervisorLink

KEYS_LENGTH = 80  # two Z85 keys
_SPARE_S = 86_400.0  # after which a spare makes way for a fresh one


def main(
    start: ZygoteStart,
    walls: Walls,
    leaf: Leaf,
    lines: Lines,
    proxy: ProxyLink | None,
    asked: Fork,
    given_fds: Sequence[int],
    supervisor_pidfd: int,
    root_pidfd: int,
    uid: int,
    gid: int,
) -> NoReturn:
    """Be the warden of this run. Called by the zygote, whose ids are given, in the child it just forked.

    `given_fds` came with `Fork`: the pipe that holds the keys, then the files of the log, if one is kept. The
    pidfds are of the supervisor of now, and of root, which starts the others.
    """
    code = 1
    try:
        rung = rungs.RUNGS[start.kill_rung]
        # In a new user namespace nobody has a name yet, and who has none can make no file.
        kill_round = rungs.settle(rung, True, uid, gid) if start.user_namespace else None
        # First of all: what this process has not touched yet need not be copied twice.
        child = fork_agent(start, walls, leaf, lines, None if proxy is None else proxy.agents_gate_fd, asked)
        if proxy is not None:
            proxy.fork(asked.run_id, asked.spare)
        birth.forget_parent_signals()
        kept = (*given_fds, supervisor_pidfd, root_pidfd, child.pidfd, *lines.wardens, *leaf.descriptors)
        birth.keep_only(kept if proxy is None else (*kept, *proxy.wardens))
        birth.entitle(f"{birth.SPARE * asked.spare}warden {asked.run_id}")
        os.setpgid(
            0, 0
        )  # a terminal's ctrl-C is not for us. The session stays root's: no agent is of that (`root`)
        own_uid = asked.place.uid
        kill_round = leaf.before(kill_round or rungs.settle(rung, False, uid, gid, child.pid, own_uid))
        if proxy is not None:
            kill_round = proxy.before(kill_round)
        pidfds = (supervisor_pidfd, root_pidfd)
        Warden(start, asked, Family(child, lines, proxy), given_fds, pidfds, leaf, kill_round).run()
        code = 0
    except BaseException:  # noqa: BLE001  # it must not become a second zygote
        traceback.print_exc()
    finally:
        os._exit(code)


class Warden(Actor):
    """The keeping of one run, from hello to the last word."""

    def __init__(
        self,
        start: ZygoteStart,
        asked: Fork,
        family: Family,
        given_fds: Sequence[int],
        pidfds: tuple[int, int],
        leaf: Leaf,
        kill_round: Callable[[], None],
    ) -> None:
        super().__init__()
        self._settings = start.settings
        keys_fd, *log_fds = given_fds
        # First: its thread shakes hands with the supervisor while this one goes on.
        self._supervisor = SupervisorLink(
            self, start, _read_keys(keys_fd), *pidfds, self._receive, self._abandoned
        )
        self._run_id, self._attempt = asked.run_id, asked.attempt
        self._family = family
        self._spec = start.spec
        patience = None if start.spec.approval_deadline == "wait" else start.spec.approval_timeout_s
        self._desk = Desk(asked.attempt, patience)
        self._intake = intake_for(start.spec, start.settings.events.max_event_bytes, self._desk)
        self._command_id, self._message = "", ""
        self._let_go, self._is_spare = False, asked.spare
        self._leaf = leaf
        proof = rungs.RUNGS[start.kill_rung].proof
        self._ending = Ending(proof, kill_round, family.pid, leaf.out_of_memory)
        self._climb = Climb(self, family.pidfd, self._ending, self._interrupt, self._report)
        self._limiter: Limiter | None = None  # this and the next are made when they are wanted
        self._stacks: StackPipe | None = None
        self._children: Children | None = None
        self._link = AgentLink(
            self, family.link, family.up_fd, self._hear_agent, self._settings.events.max_batch_bytes
        )
        of_run, tell = (asked.run_id, asked.attempt), self._supervisor.tell
        self._relay = Relay(
            self, self._desk, of_run, self._link.tell, tell, self._listen_on_credit, self._has_credit
        )
        pipes, events = (family.out_fd, family.err_fd), start.settings.events
        self._stdio = Stdio(self, pipes, log_fds, events, self._wrote)
        self._watch_all()
        # Should the zygote have died over its answer, nobody knows of this warden, and nobody would end it.
        patience_s = _SPARE_S if asked.spare else 2 * self._settings.runs.start_timeout_s
        self._unasked = self.after(patience_s, self._abandoned)
        self._supervisor.greet(self._hello(start.boot_id))

    # ── beginnings ───────────────────────────────────────────────────────────────────────────────

    def _watch_all(self) -> None:
        self._link.listen(True)
        self.watch(self._family.pidfd, self._agent_gone)
        if self._family.proxy is not None:
            self.watch(self._family.proxy.told_fd, self._hear_proxy)
        self.on_signal(signal.SIGCHLD, self._ending.reap_dead)

    def _hello(self, boot_id: str) -> Hello:
        own = host_pid()
        agent_pid = _agent_pid()
        return Hello(
            self._run_id,
            self._attempt,
            ProcessIdentity(own, birth.start_ticks(own), boot_id),
            ProcessIdentity(agent_pid, birth.start_ticks(agent_pid), boot_id),
        )

    # ── from the supervisor ──────────────────────────────────────────────────────────────────────

    def _receive(self, message: ToRun) -> None:
        """A later supervisor repeats what it can't know to have been heard: `Go` and `Stop`."""
        match message:
            case Go():
                self._go(message)
            case Stop():
                self._stop(message)
            case EventsAcked():
                self._credited()
            case ExitAcked():
                self.stop()
            case TakeStack():
                self._take_stacks(message.command_id)
            case Answer():
                self._relay.answer(message)
            case Steer():
                self._relay.steer(message, self._why_not_steered())
            case Spawned() | NotSpawned() | ChildGone():
                if self._children is not None:
                    self._children.hear(message)
            case _:
                assert_never(message)

    def _go(self, message: Go) -> None:
        if self._let_go:
            return
        self._let_go = True
        self._unasked.cancel()
        if self._is_spare:
            birth.entitle(f"warden {self._run_id}")
        if message.leaf_limits_memory:
            self._watch_memory()
        if message.limits:
            self._limiter = Limiter(self, message.limits, self._climb.limit_hit)
        self._link.tell(start_for(self._spec, self._run_id, message.given))

    def _watch_memory(self) -> None:
        broken_fd = self._leaf.memory_broken()
        if broken_fd is not None:
            self.watch(broken_fd, lambda: self._memory_broken(broken_fd))

    def _memory_broken(self, broken_fd: int) -> None:
        self.unwatch(broken_fd)
        self._climb.limit_hit("memory_bytes")

    def _stop(self, message: Stop) -> None:
        if message.command_id == self._command_id:
            self._climb.report()
            return
        self._command_id, self._message = message.command_id, message.message
        self._ending.began(self.clock())
        self._climb.climb(
            stopping.StopAsked(message.mode, message.interrupt_grace_s, message.terminate_grace_s)
        )

    def _credited(self) -> None:
        self._listen_on_credit()
        if self._ending.over:
            self._hear_rest()

    def _take_stacks(self, command_id: str) -> None:
        if self._stacks is None:
            ask = partial(self._climb.signal_agent, stack_pipe.SIGNAL)
            self._stacks = StackPipe(self, self._family.stack_fd, ask, _agent_pid)
        self._stacks.take(partial(self._stack_taken, command_id))

    def _stack_taken(self, command_id: str, taken: stack_pipe.Taken) -> None:
        told = StackTaken(self._run_id, self._attempt, command_id, taken.text, taken.error)
        self._supervisor.tell(told)

    def _why_not_steered(self) -> str | None:
        if not self._let_go:
            return "the agent has not begun"
        if self._ending.over or self._ending.claim is not None:
            return "the agent is done"
        return "the agent does not read what it is told" if self._link.owed else None

    def _abandoned(self) -> None:
        """Nobody is left to take the events or to stop the run, or will be."""
        self._ending.orphaned = True
        if self._ending.told:
            self.stop()
        elif self._ending.over:
            self._hear_rest()
        else:
            self._climb.climb(stopping.LimitHit())

    # ── from the agent ───────────────────────────────────────────────────────────────────────────

    def _has_credit(self) -> bool:
        return not self._supervisor.unacked.full

    def _listen_on_credit(self) -> None:
        """While all credit is used the agent's socket is left alone: it is the buffer, and the back-pressure."""
        credit = self._has_credit()
        self._link.listen(credit)
        if self._limiter is not None:
            self._limiter.held_up(not credit or self._desk.is_waiting)

    def _hear_agent(self) -> None:
        chunk = self._link.read()
        if chunk:
            self._take(self._intake.feed(chunk, time.time()))

    def _take(self, taken: Taken) -> None:
        if taken.count:
            if self._limiter is not None:
                self._limiter.emitted(taken.count, len(taken.blob))
            n = self._supervisor.unacked.last_n + 1
            self._supervisor.tell_events(Events(self._run_id, self._attempt, n, taken.count, taken.blob))
            self._listen_on_credit()
        self._relay.took(taken)
        for line in taken.wishes:
            self._wished(line)
        for refused in taken.refused[:16]:
            self._refuse(refused)
        self._ending.kind = taken.kind or self._ending.kind
        if taken.claim is not None:
            self._claimed(taken.claim)

    def _wished(self, line: bytes) -> None:
        """Of an agent that has come to its end, or was killed, no child is born any more."""
        if self._ending.over or self._ending.claim is not None:
            return
        if self._children is None:
            self._children = Children(
                *(self._run_id, self._attempt, self._spec, self._settings.runs, self.clock),
                tell=self._supervisor.tell,
                answer=self._link.tell,
                owed=lambda: self._link.owed,
            )
            self._supervisor.unanswered = self._children.unanswered
        if (why := self._children.wish(line)) is not None:
            self._refuse(Refused("", why))

    def _refuse(self, refused: Refused) -> None:
        """Say so: to an agent, which logs it; for a program, which may answer anything with anything, in its log."""
        if self._spec.command:
            self._stdio.note(f"runward: a line on stdout was refused: {refused.why}\n".encode())
        else:
            self._link.tell(EventRefused(refused.event, refused.why))

    def _claimed(self, claim: Claim) -> None:
        if self._ending.claim is None:
            self._ending.claim = claim
            self._climb.climb(stopping.Claimed(self._settings.runs.interrupt_grace_s))

    def _wrote(self, size: int) -> None:
        if self._limiter is not None:
            self._limiter.wrote(size)

    def _hear_proxy(self) -> None:
        """What the agent was refused of the network is in its log, and in the run's error if it fails."""
        assert self._family.proxy is not None
        refusals = self._family.proxy.hear()
        if refusals is None:
            self.unwatch(self._family.proxy.told_fd)
        for why in refusals or ():
            self._stdio.note(f"runward: the network was refused: {why}\n".encode())

    def _agent_gone(self) -> None:
        self.unwatch(self._family.pidfd)
        self._ending.reap_agent(self._climb.mode)
        self._ending.explain()
        self._climb.climb(stopping.AgentGone())
        self._finish()

    # ── the end ──────────────────────────────────────────────────────────────────────────────────

    def _finish(self) -> None:
        """All is dead: no one writes any more, so what the socket and the pipes still hold is the whole rest."""
        if self._limiter is not None:
            self._limiter.end()
        self._stdio.finish()
        if self._family.proxy is not None:
            self._hear_proxy()
        self._hear_rest()

    def _hear_rest(self) -> None:
        if self._ending.told:
            return
        while self._ending.orphaned or not self._supervisor.unacked.full:
            chunk = self._link.read() or self._intake.unfinished()
            if not chunk or self._ending.orphaned:
                self._last_word()
                return
            self._take(self._intake.feed(chunk, time.time()))
        self._link.listen(False)

    def _last_word(self) -> None:
        self._ending.told = True
        self._ending.claim = self._ending.claim or self._intake.account()
        if self._ending.orphaned or (
            self._is_spare and not self._let_go
        ):  # of no run, there is nothing to say
            self.stop()
            return
        n, stopped = self._supervisor.unacked.last_n, self._climb.ladder.stopped
        record = self._ending.record(
            n, stopped, self._stdio.errors.text(), self.clock(), time.time(), self._family.proxy
        )
        self._supervisor.tell_exit(Exited(self._run_id, self._attempt, record))

    # ── telling ──────────────────────────────────────────────────────────────────────────────────

    def _interrupt(self) -> None:
        self._link.tell(Interrupt(self._message))

    def _report(self, mode: StopMode) -> None:
        self._supervisor.tell(RungReached(self._run_id, self._attempt, self._command_id, mode))


def _read_keys(keys_fd: int) -> KeyPair:
    keys = os.read(keys_fd, KEYS_LENGTH)
    os.close(keys_fd)
    return KeyPair(keys[: KEYS_LENGTH // 2], keys[KEYS_LENGTH // 2 :])


def _agent_pid() -> int:
    """The agent's pid as /proc counts: of the warden's children it is the first, as long as it is not reaped."""
    return int(linux.read_small("/proc/thread-self/children").split()[0])
