"""The baseline of `runward bench`: a supervisor that runs agents in threads of its own process.

Same root, same facade, same messages, journal and checks of what an agent says; no zygote, no warden, no agent
process. So what the real one takes more is the price of isolation. It can't kill anything, and it isolates nothing:
nothing but the bench starts it.
"""

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from ..config.sections import AgentSpec
from ..config.settings import load as load_settings
from . import birth, cast, root, wire
from .actor import Actor, Callback
from .asking import AgentCall, call_of
from .channel import Channel, claim_line
from .ending import ending_of_raise, ending_of_return
from .entrypoints import load
from .intake import Intake
from .interruption import Interruption
from .journal.writer import Writer
from .mailbox import KeyPair, Post, Sender
from .messages.answers import Agents, Pong, Refusal, RunAccepted, StopAccepted
from .messages.commands import AskAgents, Ping, StartRun, StopRun, ToSupervisor
from .messages.feed import Published
from .messages.from_run import Claim
from .messages.with_root import Ready
from .records import Exit, Reason, RunInput, RunRecord, Status, Usage
from .roles import SupervisorStart
from .run import Run

UNREAD_BYTES = 1 << 20  # what a thread may be ahead of the journal: four batches of 256 KiB, as a warden has
MAIN = "runward.actors.bench_threads:begin"


def serve(config: Path) -> int:
    """Serve as `runward serve` does, with threads for runs; the exit code."""
    cast.SUPERVISOR_MAIN = MAIN
    return root.serve(load_settings(config), None)


def begin(birth_fd: int) -> None:
    """Be what was spawned with a `SupervisorStart`, until root says to end."""
    start = birth.born_with(birth_fd, SupervisorStart)
    birth.begin_role("supervisor", (start.control_fd,))
    supervisor = ThreadSupervisor(start)
    supervisor.run()
    supervisor.turn_ended()
    os._exit(0)  # a thread can't be ended in any other way


class ThreadChannel(Channel):
    """What an agent's thread writes to, instead of a socket to a warden."""

    def __init__(self, wake: Callback) -> None:
        self._wake = wake
        self._waiting: list[bytes] = []
        self._size = 0
        self._changed = threading.Condition()

    def write(self, line: bytes) -> None:
        """Keep the line for the supervisor. Blocks while too much waits there."""
        with self._changed:
            while self._size > UNREAD_BYTES:
                self._changed.wait()
            if not self._waiting:
                self._wake()
            self._waiting.append(line)
            self._size += len(line)

    def take(self) -> bytes:
        """All that waits."""
        with self._changed:
            lines, self._waiting, self._size = self._waiting, [], 0
            self._changed.notify_all()
        return b"".join(lines)


class ThreadRun:
    """One run, in a thread of its own."""

    def __init__(
        self, key: int, record: RunRecord, given: RunInput, wake: Callable[["ThreadRun"], None], limit: int
    ) -> None:
        self.key = key
        self.record = record
        self.seq = 0
        self.intake = Intake(limit)
        self.channel = ThreadChannel(partial(wake, self))
        self.interruption = Interruption()
        self._given = given

    def start(self, spec: AgentSpec) -> None:
        """Let it begin."""
        threading.Thread(target=self._live, args=(spec,), daemon=True).start()

    def _live(self, spec: AgentSpec) -> None:
        call: AgentCall | None = None
        try:
            call = self._prepare(spec)
            call.perform(self.interruption)
            ending = ending_of_return(call, self.interruption.wished)
        except BaseException as error:  # noqa: BLE001 - an agent may raise anything, and all of it is an ending
            ending = ending_of_raise(error, call, self.interruption.wished)
        if ending.claim is not None:
            self.channel.write(claim_line(ending.claim))

    def _prepare(self, spec: AgentSpec) -> AgentCall:
        run = Run(self.record.run_id, self._given, self.channel, self.interruption)
        return call_of(load(spec.entrypoint), self._given, run, self.channel, spec.options)


class ThreadSupervisor(Actor):
    """All runs of one server. A turn commits once, then publishes, as the real one's does."""

    def __init__(self, start: SupervisorStart) -> None:
        super().__init__()
        self._start = start
        self._settings = start.settings
        self._journal = Writer(Path(start.state_dir), start.settings.state.synchronous)
        self._runs: dict[str, ThreadRun] = {}
        self._ready: deque[ThreadRun] = deque()  # those that have said something
        self._afterwards: list[Callable[[], object]] = []
        self._awake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.watch(self._awake, self._hear_runs)
        post = Post(self._settings.events.max_message_bytes)
        keys = KeyPair(start.server_keys.public, start.server_keys.secret)
        self._guard = post.guard
        for name, public in start.facade_keys.items():
            self._guard.admit(public, name)
        self._commands = post.inbox(start.paths.commands, keys)
        self._feed = post.feed(start.paths.feed, keys)
        for news, drain in (
            (self._guard.news, self._guard.drain),
            (self._commands.news, self._drain_commands),
            (self._feed.news, self._welcome),
        ):
            self.pump(news, drain)
        self.watch(start.control_fd, self.stop)  # whatever root says, it is the end
        os.write(start.control_fd, wire.encode(Ready()))

    def turn_ended(self) -> None:
        """Journal, then publish."""
        self._journal.commit()
        actions, self._afterwards = self._afterwards, []
        for action in actions:
            action()

    # ── facades ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _drain_commands(self) -> bool:
        worked = False
        for sender, body in self._commands.drain():
            worked = True
            self._answer(sender, self._obey(wire.to_supervisor.decode(body)))
        return worked

    def _answer(self, sender: Sender, answer: msgspec.Struct) -> None:
        self._afterwards.append(partial(self._commands.send, sender.route, wire.encode(answer)))

    def _obey(self, command: ToSupervisor) -> msgspec.Struct:
        match command:
            case StartRun():
                return self._start_run(command)
            case StopRun():
                return self._stop_run(command)
            case Ping():
                return Pong(command.id, os.getpid(), 0.0, len(self._runs), 0)
            case AskAgents():
                return Agents(command.id, [])
            case _:
                return Refusal(command.id, "shutting_down", "the baseline can't do that")

    def _welcome(self) -> bool:
        worked = False
        for topic in self._feed.subscribed():
            worked = True
            run = self._runs.get(topic.decode())
            key = None if run else self._journal.run_key(topic.decode())
            seq = run.seq if run else 0 if key is None else self._journal.last_seq(key)
            self._publish(topic.decode(), Published(seq + 1, 0, run is None), b"")
        return worked

    def _publish(self, run_id: str, published: Published, blob: bytes) -> None:
        encoded = wire.encode(published)
        self._afterwards.append(partial(self._feed.publish, run_id.encode(), encoded, blob))

    # ── runs ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _start_run(self, command: StartRun) -> msgspec.Struct:
        now = time.time()
        record = RunRecord(
            run_id=command.run_id, agent=command.agent, created_at=now, updated_at=now, owner=command.owner
        )
        key = self._journal.add_run(record, command.given)
        limit = self._settings.events.max_event_bytes
        run = self._runs[record.run_id] = ThreadRun(key, record, command.given, self._wake, limit)
        self._emit(run, "run.queued", position=1)
        record.status, record.started_at = Status.RUNNING, now
        self._emit(run, "run.started", attempt=1, pid=os.getpid(), agent=record.agent)
        self._save(run)
        self._afterwards.append(partial(run.start, self._settings.agents[command.agent]))
        return RunAccepted(command.id, command.run_id)

    def _stop_run(self, command: StopRun) -> msgspec.Struct:
        run = self._runs.get(command.run_id)
        if run is None:
            return Refusal(command.id, "run_ended", f"run {command.run_id} has ended")
        run.record.status = Status.STOPPING
        self._emit(run, "run.stopping", mode=command.mode, reason=command.reason)
        self._save(run)
        self._afterwards.append(partial(run.interruption.deliver, "Stop requested via API"))
        return StopAccepted(command.id, command.run_id)

    def _wake(self, run: ThreadRun) -> None:
        self._ready.append(run)
        os.eventfd_write(self._awake, 1)

    def _hear_runs(self) -> None:
        os.eventfd_read(self._awake)
        while self._ready:
            run = self._ready.popleft()
            taken = run.intake.feed(run.channel.take(), time.time())
            if taken.count:
                self._append(run, taken.count, taken.blob)
            if taken.claim is not None:
                self._end(run, taken.claim)

    def _end(self, run: ThreadRun, claim: Claim) -> None:
        output = msgspec.Raw(claim.output) if claim.output else None
        del self._runs[run.record.run_id]
        run.record.ended_at, run.record.output, run.record.exit = time.time(), output, Exit(proof="none")
        if claim.kind == "completed":
            run.record.status, run.record.reason = Status.COMPLETED, Reason.COMPLETED
            self._emit(run, "run.completed", output=output, usage=claim.usage or Usage())
        elif claim.kind == "interrupted":
            run.record.status, run.record.reason = Status.CANCELLED, Reason.INTERRUPTED
            self._emit(run, "run.cancelled", reason="interrupted", exit=run.record.exit, output=output)
        else:
            run.record.status, run.record.reason = Status.FAILED, Reason.EXCEPTION
            self._emit(run, "run.failed", error=claim.error, reason="exception", exit=run.record.exit)
        self._save(run)

    def _emit(self, run: ThreadRun, event: str, **fields: Any) -> None:
        run.record.last_event = event
        line = msgspec.json.encode({"event": event, "timestamp": time.time(), **fields}) + b"\n"
        self._append(run, 1, line)

    def _append(self, run: ThreadRun, count: int, blob: bytes) -> None:
        first, run.seq = run.seq + 1, run.seq + count
        self._journal.append(run.key, first, run.seq, blob)
        ended = run.record.run_id not in self._runs
        self._publish(run.record.run_id, Published(first, count, ended), blob)

    def _save(self, run: ThreadRun) -> None:
        run.record.updated_at, run.record.last_seq = time.time(), run.seq
        self._journal.save_run(run.key, run.record)


if __name__ == "__main__":
    raise SystemExit(serve(Path(sys.argv[1])))
