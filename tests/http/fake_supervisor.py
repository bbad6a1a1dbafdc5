"""A supervisor with a memory and no processes: the real mailboxes and the real journal, in a thread.

It journals before it answers and before it publishes, as the real one does. What it was told is in `heard`;
what it does wrong on purpose is set by its switches.
"""

import itertools
import select
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

import msgspec

from runward.actors import wire
from runward.actors.journal.writer import Writer
from runward.actors.mailbox import KeyPair, Post
from runward.actors.messages.answers import (
    AgentInfo,
    Agents,
    ApprovalAnswered,
    FiguresTold,
    Pong,
    Refusal,
    RunAccepted,
    RunDeleted,
    RunsStopping,
    RunSteered,
    StopAccepted,
)
from runward.actors.messages.commands import (
    AnswerApproval,
    AskAgents,
    AskFigures,
    DeleteRun,
    Ping,
    StartRun,
    SteerRun,
    StopRun,
    StopRuns,
    ToSupervisor,
)
from runward.actors.messages.feed import RUNS_TOPIC, Published, RunsChanged
from runward.actors.records import Reason, RunInput, RunRecord, Status
from runward.actors.roles import Keys, Paths

T = TypeVar("T")
ENDS = {
    "run.completed": (Status.COMPLETED, Reason.COMPLETED),
    "run.failed": (Status.FAILED, Reason.EXCEPTION),
    "run.cancelled": (Status.CANCELLED, Reason.INTERRUPTED),
}
TURN_S = 0.001  # only a fallback: descriptors wake it, jobs do not


class FakeSupervisor:
    """Use it as a context. All public methods may be called from any thread, and return when it is done."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths = Paths(str(folder))
        self.keys = KeyPair.generate()
        self.facade_keys = KeyPair.generate()
        self.heard: list[ToSupervisor] = []
        self.inputs: dict[str, StartRun] = {}
        self.silent = False  # take commands, answer nothing
        self.publishing = True  # else the feed drops everything, welcomes too
        self.refusing: dict[type, Refusal] = {}
        self.agents = [AgentInfo(name="echo")]
        self._jobs: SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = SimpleQueue()
        self._runs: dict[str, tuple[int, RunRecord]] = {}
        self._seqs: dict[str, int] = {}
        self._keys: dict[tuple[str, str], tuple[str, bytes]] = {}
        self._numbers = itertools.count(1)
        self._running = True
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._work, name="fake supervisor")

    @property
    def facade_pair(self) -> Keys:
        return Keys(self.facade_keys.public, self.facade_keys.secret)

    def __enter__(self) -> "FakeSupervisor":
        self._thread.start()
        assert self._ready.wait(10), "the fake supervisor did not come up"
        return self

    def __exit__(self, *_: object) -> None:
        self._running = False
        self._thread.join()

    # ── what tests do ───────────────────────────────────────────────────────────────────────────────────────

    def add_run(self, owner: str = "alice", **fields: Any) -> str:
        """A run that nobody started by HTTP, with no event yet."""
        run_id = f"run_{next(self._numbers):032x}"
        return self._do(lambda: self._add(run_id, owner, RunInput(input="hello"), **fields))

    def emit(self, run_id: str, *events: str, publish: bool = True, **fields: Any) -> int:
        """Journal these events as one batch, then publish it; the number of the last."""
        return self._do(lambda: self._emit(run_id, [{"event": event, **fields} for event in events], publish))

    def emit_many(self, run_id: str, count: int, publish: bool = True, **fields: Any) -> int:
        """`count` deltas as one batch."""
        deltas = [{"event": "message.delta", "delta": str(n), **fields} for n in range(count)]
        return self._do(lambda: self._emit(run_id, deltas, publish))

    def skip_numbers(self, run_id: str, count: int) -> None:
        """Lose `count` numbers, as after a power loss."""
        self._seqs[run_id] += count

    def save(self, run_id: str, **fields: Any) -> None:
        """Change the record of a run."""
        self._do(lambda: self._save(run_id, **fields))

    def restart(self) -> None:
        """Close both sockets and bind them again, as a new process would."""
        self._do(self._rebind)

    def record(self, run_id: str) -> RunRecord:
        """The record of a run."""
        return self._runs[run_id][1]

    def _do(self, job: Callable[[], T]) -> T:
        future: Future[T] = Future()
        self._jobs.put((job, future))
        return future.result(10)

    # ── the thread ──────────────────────────────────────────────────────────────────────────────────────────

    def _work(self) -> None:
        self._writer = Writer(self.folder)
        self._bind()
        self._ready.set()
        try:
            while self._running:
                self._turn()
        finally:
            self._unbind()
            self._writer.close()

    def _rebind(self) -> None:
        self._unbind()
        self._bind()

    def _bind(self) -> None:
        self._post = Post(4 << 20)
        self._post.guard.admit(self.facade_keys.public, "facade 1")
        self._inbox = self._post.inbox(self.paths.commands, self.keys)
        self._feed = self._post.feed(self.paths.feed, self.keys)

    def _unbind(self) -> None:
        self._inbox.close()
        self._feed.close()
        self._post.close()  # returns when the paths are free

    def _turn(self) -> None:
        worked = self._post.guard.drain()
        for sender, body in self._inbox.drain():
            worked = True
            self._hear(sender.route, wire.to_supervisor.decode(body))
        for topic in self._feed.subscribed():
            worked = True
            self._welcome(topic.decode())
        while not self._jobs.empty():
            worked = True
            self._run_job()
        if not worked:
            select.select([self._post.guard.news.fd, self._inbox.news.fd, self._feed.news.fd], [], [], TURN_S)

    def _run_job(self) -> None:
        job, future = self._jobs.get()
        try:
            future.set_result(job())
        except BaseException as error:  # noqa: BLE001 - it belongs to the test that asked
            future.set_exception(error)

    def _hear(self, route: bytes, command: ToSupervisor) -> None:
        self.heard.append(command)
        if not self.silent:
            refusal = self.refusing.get(type(command))
            refused = refusal and msgspec.structs.replace(refusal, id=command.id)
            self._inbox.send(route, wire.encode(refused or self._answer(command)))

    def _answer(self, command: ToSupervisor) -> Any:
        match command:
            case Ping():
                return Pong(command.id, 1, 1.0, len(self._runs), 0)
            case AskFigures():
                return FiguresTold(command.id, 1, dict(command.counters) | dict(command.gauges))
            case AskAgents():
                return Agents(command.id, self.agents)
            case StartRun():
                return self._start(command)
            case StopRun():
                return self._stop(command)
            case StopRuns():
                live = [run_id for run_id, (_, record) in self._runs.items() if not record.status.ended]
                return RunsStopping(command.id, live)
            case AnswerApproval():
                return ApprovalAnswered(command.id, command.run_id, command.choice, 1)
            case SteerRun():
                return RunSteered(command.id, command.run_id)
            case DeleteRun():
                return self._delete(command)

    def _start(self, command: StartRun) -> RunAccepted | Refusal:
        if command.idempotency_key is not None:
            new = (command.run_id, command.body_hash)
            run_id, body = self._keys.setdefault((command.owner, command.idempotency_key), new)
            if run_id != command.run_id and body == command.body_hash:
                return RunAccepted(command.id, run_id, replayed=True)
        if command.run_id in self._runs:
            return Refusal(command.id, "run_exists", "there is such a run")
        self.inputs[command.run_id] = command
        given = command.given
        self._add(
            command.run_id,
            command.owner,
            given,
            agent=command.agent,
            session_id=given.session_id,
            metadata=given.metadata,
            model=given.model,
            parent_run_id=command.parent_run_id,
        )
        self._emit(command.run_id, [{"event": "run.queued", "position": 0}], publish=True)
        return RunAccepted(command.id, command.run_id)

    def _stop(self, command: StopRun) -> StopAccepted | Refusal:
        found = self._runs.get(command.run_id)
        if found is None or command.owner not in (None, found[1].owner):
            return Refusal(command.id, "run_not_found", f"Run not found: {command.run_id}")
        if found[1].status.ended:
            return Refusal(command.id, "run_ended", "The run is over")
        self._save(command.run_id, status=Status.STOPPING)
        return StopAccepted(command.id, command.run_id)

    def _delete(self, command: DeleteRun) -> RunDeleted:
        key, _ = self._runs.pop(command.run_id)
        del self._seqs[command.run_id]
        self._writer.delete_run(key)
        self._writer.commit()
        return RunDeleted(command.id, command.run_id)

    def _add(self, run_id: str, owner: str, given: RunInput, agent: str = "echo", **fields: Any) -> str:
        now = time.time()
        record = RunRecord(run_id=run_id, agent=agent, created_at=now, updated_at=now, owner=owner, **fields)
        self._runs[run_id] = (self._writer.add_run(record, given), record)
        self._seqs[run_id] = 0
        self._writer.commit()
        self._tell_changed()
        return run_id

    def _save(self, run_id: str, **fields: Any) -> None:
        key, record = self._runs[run_id]
        for name, value in fields.items():
            setattr(record, name, value)
        self._writer.save_run(key, record)
        self._writer.commit()
        self._tell_changed()

    def _tell_changed(self) -> None:
        if self.publishing:
            self._feed.publish(RUNS_TOPIC.encode(), wire.encode(RunsChanged(self._writer.changed)))

    def _emit(self, run_id: str, events: list[dict[str, Any]], publish: bool) -> int:
        key, _ = self._runs[run_id]
        first, last = self._seqs[run_id] + 1, self._seqs[run_id] + len(events)
        blob = b"".join(msgspec.json.encode({**event, "timestamp": time.time()}) + b"\n" for event in events)
        self._writer.append(key, first, last, blob)
        self._seqs[run_id] = last
        end = ENDS.get(events[-1]["event"])
        if end is not None:
            reason = self._runs[run_id][1].reason or end[1]  # a test may have said another
            self._save(run_id, status=end[0], reason=reason, last_seq=last, last_event=events[-1]["event"])
        self._writer.commit()
        if publish and self.publishing:
            note = Published(first, len(events), end is not None)
            self._feed.publish(run_id.encode(), wire.encode(note), blob)
        return last

    def _welcome(self, run_id: str) -> None:
        if self.publishing and run_id in self._seqs:
            note = Published(self._seqs[run_id] + 1, 0, self._runs[run_id][1].status.ended)
            self._feed.publish(run_id.encode(), wire.encode(note), b"")
