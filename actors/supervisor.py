"""The supervisor: an actor, the journal's only writer. It never forks and never runs agent code.

A turn takes what has arrived, lets the pure parts decide, writes, commits once, and only then tells anybody:
journal, then publish. It believes wardens for what agents said, and only the kernel about death.
"""

import os
import signal
import socket
import time
from collections import Counter
from functools import partial
from pathlib import Path

import msgspec

from . import admission, birth, lifecycle, recovery, restart, wire
from .actor import Actor, Callback
from .containment.rungs import RUNGS
from .errors import AskTimeout, BadMessage
from .journal.writer import Writer
from .live_run import LiveRun
from .mailbox import KeyPair, Post, Sender
from .messages import (
    AgentInfo,
    Agents,
    AskAgents,
    Events,
    Exited,
    Fork,
    Forked,
    ForkFailed,
    FromRun,
    FromSupervisor,
    FromZygote,
    Hello,
    Ping,
    Pong,
    Published,
    Ready,
    Refusal,
    RunAccepted,
    RungReached,
    ShutDown,
    StartRun,
    StopAccepted,
    StopMode,
    StopRun,
    ToRun,
    ToSupervisor,
    WardenReaped,
    ZygoteReady,
)
from .records import Containment, RunRecord
from .roles import SupervisorStart, ZygoteStart
from .zygotes import ZygoteLink

LAST_WORDS_S = 0.05  # what a warden sent just before it died may still be on its way


def main(start: SupervisorStart) -> None:
    """Be the supervisor, until root says to shut down. Called in a spawned process."""
    birth.begin_role("supervisor", (start.control_fd,))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl-C is root's
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    supervisor = Supervisor(start)
    supervisor.run()
    supervisor.end()


class Supervisor(Actor):
    """All live runs of one server. Implements `live_run.House`."""

    def __init__(self, start: SupervisorStart) -> None:
        super().__init__()
        self._start = start
        self._settings = start.settings
        self._began = self.clock()
        self._boot_id = birth.boot_id()
        self.journal = Writer(Path(start.state_dir), start.settings.state.synchronous)
        self.rung = RUNGS[start.kill_rung]
        self.containment = Containment(kill=self.rung.level, missing=list(start.missing))
        self.start_timeout_s = self._settings.runs.start_timeout_s
        self.kill_silence_s = self._settings.supervision.kill_silence_s
        self.batches_in_flight = self._settings.events.batches_in_flight
        self._runs: dict[str, LiveRun] = {}
        self._queue: dict[str, LiveRun] = {}  # in order of arrival
        self._kinds: dict[str, str] = {}
        self._afterwards: list[Callback] = []
        self._closing: ShutDown | None = None
        self._open_mailboxes()
        self._zygotes = {name: self._zygote_link(name) for name in self._settings.agents}
        self._control = socket.socket(fileno=start.control_fd)
        self._control.setblocking(False)
        self.watch(start.control_fd, self._root_says)
        self._recover()
        self._warm_up()
        self._control.send(wire.encode(Ready()))

    # ── beginning and end ───────────────────────────────────────────────────────────────────────────────────────

    def _open_mailboxes(self) -> None:
        keys = KeyPair(self._start.server_keys.public, self._start.server_keys.secret)
        self._post = Post(self._settings.events.max_message_bytes)
        self._guard = self._post.guard
        for name, public in self._start.facade_keys.items():
            self._guard.admit(public, name)
        paths = self._start.paths
        self._commands = self._post.inbox(paths.commands, keys)
        self._wardens = self._post.inbox(paths.runs, keys)
        self._feed = self._post.feed(paths.feed, keys)
        self.pump(self._guard.fd, self._guard.drain)
        self.pump(self._commands.fd, self._drain_commands)
        self.pump(self._wardens.fd, self._drain_wardens)
        self.pump(self._feed.fd, self._welcome)

    def _zygote_link(self, name: str) -> ZygoteLink:
        start = ZygoteStart(
            name=name,
            spec=self._settings.agents[name],
            settings=msgspec.structs.replace(self._settings, agents={}, auth=type(self._settings.auth)()),
            control_fd=-1,
            paths=self._start.paths,
            server_key=self._start.server_keys.public,
            boot_id=self._boot_id,
            kill_rung=self.rung.name,
            user_namespace=self._start.user_namespace,
        )
        supervision = self._settings.supervision
        intensity = restart.Intensity(supervision.restart_intensity, supervision.restart_period_s)
        return ZygoteLink(self, start, intensity, self._zygote_says, lambda: self._zygote_died(name))

    def _recover(self) -> None:
        """Take up what an earlier supervisor left: queued runs wait on, others are lost, on proof."""
        for left in recovery.settle(self.journal.unended(), self._boot_id):
            run = LiveRun(self, left.key, left.record, left.given, left.last_seq)
            if left.lost is None:
                self._runs[run.record.run_id] = self._queue[run.record.run_id] = run
            else:
                run.lose(left.lost.proof, left.lost.error)
        self._admit()

    def _warm_up(self) -> None:
        """Zygotes that are surely wanted are started before they are needed."""
        for name, spec in self._settings.agents.items():
            if spec.import_root or name == self._settings.runs.default_agent:
                self._zygotes[name].start()

    def _root_says(self) -> None:
        try:
            body = self._control.recv(4096)
        except BlockingIOError:
            return
        if not body:
            self._shut_down(ShutDown(0.0))  # root is gone: nothing may be orphaned
            self.unwatch(self._control.fileno())
            return
        message = wire.to_role.decode(body)
        self._shut_down(message)

    def _shut_down(self, message: ShutDown) -> None:
        """End every run by the ladder, without grace the second time; then this loop."""
        again = self._closing is not None
        self._closing = message
        mode: StopMode = "kill" if again or message.grace_s == 0 else "interrupt"
        for run in list(self._runs.values()):
            plan = lifecycle.StopPlan("", mode, message.grace_s, message.grace_s, shutdown=True)
            run.advance(lifecycle.StopWanted(plan))
        if not self._runs:
            self.stop()

    def end(self) -> None:
        """Commit, and give everything back. Blocks some ms for the zygotes."""
        self.turn_ended()
        for link in self._zygotes.values():
            link.close()
        for socket_ in (self._commands, self._wardens, self._feed):
            socket_.close()
        self._post.close()
        self.journal.close()
        self.close()

    # ── a turn ──────────────────────────────────────────────────────────────────────────────────────────────────

    def turn_ended(self) -> None:
        """Journal, then publish: one commit for all that this turn decided, then everything that waited for it."""
        self.journal.commit()
        while self._afterwards:
            actions, self._afterwards = self._afterwards, []
            for action in actions:
                action()
            self.journal.commit()

    def then(self, action: Callback) -> None:
        """Do it once all that was written is committed."""
        self._afterwards.append(action)

    def now(self) -> float:
        """Unix seconds."""
        return time.time()

    def tell(self, route: bytes, message: ToRun) -> None:
        """To the warden behind this connection; if that is gone, its pidfd will say so."""
        self._wardens.send(route, wire.encode(message))

    def publish(self, run_id: str, published: Published, blob: bytes) -> None:
        """To the feed."""
        self._feed.publish(run_id.encode(), wire.encode(published), blob)

    def _welcome(self) -> bool:
        """Tell a new subscriber where the run stands, so that nothing falls between journal and feed."""
        worked = False
        for topic in self._feed.subscribed():
            worked = True
            run_id = topic.decode(errors="replace")
            run = self._runs.get(run_id)
            if run is not None:
                seq = run.seq
            else:
                key = self.journal.run_key(run_id)
                seq = 0 if key is None else self.journal.last_seq(key)
            welcome = Published(seq + 1, 0, run is None)
            self.then(partial(self.publish, run_id, welcome, b""))
        return worked

    # ── commands from facades ───────────────────────────────────────────────────────────────────────────────────

    def _drain_commands(self) -> bool:
        worked = False
        for sender, body in self._commands.drain():
            worked = True
            try:
                self._obey(sender, wire.to_supervisor.decode(body))
            except BadMessage:
                continue  # a facade of another version; it will time out and say so
        return worked

    def _obey(self, sender: Sender, command: ToSupervisor) -> None:
        match command:
            case StartRun():
                answer = self._start_run(command)
            case StopRun():
                answer = self._stop_run(command)
            case Ping():
                answer = self._pong(command)
            case AskAgents():
                answer = Agents(command.id, [self._agent_info(name) for name in self._settings.agents])
        self.then(lambda: self._answer(sender, answer))

    def _answer(self, sender: Sender, answer: FromSupervisor) -> None:
        self._commands.send(sender.route, wire.encode(answer))

    def _start_run(self, command: StartRun) -> FromSupervisor:
        if command.run_id in self._runs or self.journal.run_key(command.run_id) is not None:
            return RunAccepted(command.id, command.run_id)  # the same command, sent again
        refusal = self._why_not_start(command)
        if refusal is not None:
            return refusal
        now = self.now()
        record = RunRecord(
            run_id=command.run_id,
            agent=command.agent,
            created_at=now,
            updated_at=now,
            session_id=command.given.session_id,
            parent_run_id=command.parent_run_id,
            metadata=command.given.metadata,
            model=command.given.model,
            owner=command.owner,
        )
        run = LiveRun(self, self.journal.add_run(record, command.given), record, command.given)
        self._runs[record.run_id] = self._queue[record.run_id] = run
        run.queued(len(self._queue))
        self._admit()
        return RunAccepted(command.id, command.run_id)

    def _why_not_start(self, command: StartRun) -> Refusal | None:
        if self._closing is not None:
            return Refusal(command.id, "shutting_down", "the server is shutting down", retry_after_s=5.0)
        if command.agent not in self._settings.agents:
            known = ", ".join(sorted(self._settings.agents))
            message = f"there is no agent {command.agent!r}; this server has: {known}"
            return Refusal(command.id, "agent_not_found", message, param="agent")
        if len(self._queue) >= self._settings.runs.max_queued:
            message = f"{len(self._queue)} runs are waiting already; try again later"
            return Refusal(command.id, "queue_full", message, retry_after_s=1.0)
        return None

    def _stop_run(self, command: StopRun) -> FromSupervisor:
        run = self._runs.get(command.run_id)
        if run is None or command.owner not in (None, run.record.owner):
            known = self.journal.run_key(command.run_id) is not None
            return Refusal(
                command.id,
                "run_ended" if known and run is None else "run_not_found",
                f"run {command.run_id} {'has ended' if known and run is None else 'is not known'}",
            )
        if self.journal.add_command(command.id, run.key, "stop", self.now(), wire.encode(command)):
            run.record.stop_reason = command.reason or run.record.stop_reason
            run.advance(lifecycle.StopWanted(self._plan(command)))
        return StopAccepted(command.id, command.run_id)

    def _plan(self, command: StopRun) -> lifecycle.StopPlan:
        runs = self._settings.runs
        given = command.grace_s
        return lifecycle.StopPlan(
            command.id,
            command.mode,
            runs.interrupt_grace_s if given is None else given,
            runs.terminate_grace_s if given is None else given,
        )

    def _pong(self, command: Ping) -> Pong:
        live = len(self._runs) - len(self._queue)
        return Pong(command.id, os.getpid(), self.clock() - self._began, live, len(self._queue))

    def _agent_info(self, name: str) -> AgentInfo:
        spec, link = self._settings.agents[name], self._zygotes[name]
        limits = {key: value for key, value in msgspec.structs.asdict(spec.limits).items() if value}
        return AgentInfo(
            name=name,
            description=spec.description,
            kind=self._kinds.get(name),
            entrypoint=spec.entrypoint,
            network=spec.network,
            restart=spec.restart,
            limits=limits,
            containment=self.containment,
            health=link.health,
            live_runs=self._live_by_agent()[name],
            warnings=link.warnings,
        )

    # ── admission and forking ───────────────────────────────────────────────────────────────────────────────────

    def _live_by_agent(self) -> Counter[str]:
        return Counter(
            run.record.agent for run in self._runs.values() if run.record.run_id not in self._queue
        )

    def _admit(self) -> None:
        if not self._queue or self._closing is not None:
            return
        waiting = ((run_id, run.record.agent) for run_id, run in self._queue.items())
        bounds = {name: spec.max_concurrent for name, spec in self._settings.agents.items()}
        live = self._live_by_agent()
        for run_id in admission.admissible(waiting, live, self._settings.runs.max_live, bounds):
            run = self._queue.pop(run_id, None)
            if run is not None:
                run.advance(lifecycle.Admitted())

    def fork(self, run: LiveRun) -> None:
        """Ask the run's zygote for a warden that holds a key of its own, by a pipe that nothing else reads."""
        run.keys = KeyPair.generate()
        run.record.warden_key = run.keys.public.decode()
        run_id, attempt = run.record.run_id, run.record.attempt
        self._guard.admit(run.keys.public, f"{run_id}/{attempt}")
        self.ask(
            ("fork", run_id, attempt),
            lambda: self._send_fork(run),
            self.start_timeout_s,
            lambda message: self._fork_answered(run, message),
            lambda error: self._fork_overdue(run, error),
        )

    def _send_fork(self, run: LiveRun) -> None:
        assert run.keys is not None
        link = self._zygotes.get(run.record.agent)
        if link is None or link.health == "down":
            why = "its zygote died too often" if link else "its agent is no longer declared"
            self.then(lambda: run.advance(lifecycle.NotForked(why)))
            return
        reads, writes = os.pipe()
        os.write(writes, run.keys.public + run.keys.secret)
        os.close(writes)
        try:
            link.fork(Fork(run.record.run_id, run.record.attempt), reads)
        except OSError as error:
            why = f"its zygote took no request: {error}"
            self.then(lambda: run.advance(lifecycle.NotForked(why)))

    def _fork_overdue(self, run: LiveRun, error: AskTimeout) -> None:
        run.advance(lifecycle.Silent(str(error)))
        self._zygotes[run.record.agent].kill()

    def _fork_answered(self, run: LiveRun, answer: tuple[Forked | ForkFailed, int | None]) -> None:
        message, pidfd = answer
        if isinstance(message, ForkFailed) or pidfd is None:
            why = message.error if isinstance(message, ForkFailed) else "its warden came without a pidfd"
            run.advance(lifecycle.NotForked(why))
            return
        run.pidfd = pidfd
        self.watch(pidfd, lambda: self._warden_exited(run))
        run.advance(lifecycle.WardenForked())

    def _zygote_says(self, message: FromZygote, descriptor: int | None) -> None:
        match message:
            case Forked() | ForkFailed():
                asked = ("fork", message.run_id, message.attempt)
                if not self.answer(asked, (message, descriptor)) and descriptor is not None:
                    _kill_stranger(descriptor)
            case WardenReaped():
                run = self._runs.get(message.run_id)
                if run is not None and run.record.attempt == message.attempt:
                    self._reaped(run)
            case ZygoteReady():
                pass

    def _zygote_died(self, name: str) -> None:
        """Who waited for it will not be forked; who had been, lives on."""
        for run in [run for run in self._runs.values() if run.record.agent == name]:
            if run.state.phase is lifecycle.Phase.FORKING:
                self.withdraw(("fork", run.record.run_id, run.record.attempt))
                run.advance(lifecycle.NotForked("its zygote died before it could be forked"))

    # ── from wardens ────────────────────────────────────────────────────────────────────────────────────────────

    def _drain_wardens(self) -> bool:
        worked = False
        for sender, body in self._wardens.drain():
            worked = True
            run_id, _, attempt = sender.name.partition("/")
            run = self._runs.get(run_id)
            if run is not None and attempt == str(run.record.attempt):
                self._hear(run, sender.route, body)
        return worked

    def _hear(self, run: LiveRun, route: bytes, body: bytes) -> None:
        """What the holder of this run's key says; a claim to be another run is not listened to."""
        try:
            message = wire.from_run.decode(body)
        except BadMessage as error:
            run.advance(lifecycle.Misbehaved(str(error)))
            return
        if (message.run_id, message.attempt) != (run.record.run_id, run.record.attempt):
            run.advance(lifecycle.Misbehaved("the warden spoke for another run"))
        else:
            self._dispatch(run, route, message)

    def _dispatch(self, run: LiveRun, route: bytes, message: FromRun) -> None:
        match message:
            case Events():
                run.take(message)
            case Hello():
                run.greeted(route, message)
            case RungReached():
                run.reached(message)
            case Exited():
                run.recorded(lifecycle.Recorded(message.record))

    def _warden_exited(self, run: LiveRun) -> None:
        """The kernel says that the warden is gone. Without its last word, wait a moment for what is on its way."""
        assert run.pidfd is not None
        self.unwatch(run.pidfd)
        while self._drain_wardens():
            pass
        if run.state.record is None:
            self.after(LAST_WORDS_S, lambda: self._prove(run))
        else:
            self._prove(run)

    def _prove(self, run: LiveRun) -> None:
        """Nothing is left if the namespace went with the warden, or it said ECHILD, or its zygote swept up."""
        if self.rung.gone_with_warden or run.state.record is not None:
            run.proof = self.rung.proof
            run.advance(lifecycle.WardenGone())
        elif not self._zygotes[run.record.agent].alive:
            run.proof = "none"  # warden and zygote were both killed where no namespace holds the rest
            run.advance(lifecycle.WardenGone())

    def _reaped(self, run: LiveRun) -> None:
        """The zygote waited for the warden and ended its orphans: for a rung without a namespace, the proof."""
        if not self.rung.gone_with_warden and run.state.record is None:
            run.proof = self.rung.proof
            self.after(LAST_WORDS_S, lambda: run.advance(lifecycle.WardenGone()))

    def ended(self, run: LiveRun) -> None:
        """Free the slot and all that the run held here."""
        run_id = run.record.run_id
        self._runs.pop(run_id, None)
        self._queue.pop(run_id, None)
        if run.keys is not None:
            self._guard.dismiss(run.keys.public)
        if run.pidfd is not None:
            self.unwatch(run.pidfd)
            os.close(run.pidfd)
            run.pidfd = None
        if run.kind is not None:
            self._kinds[run.record.agent] = run.kind
        if self._closing is not None and not self._runs:
            self.stop()
        self._admit()


def _kill_stranger(pidfd: int) -> None:
    """A warden that came after its run was given up."""
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    os.close(pidfd)
