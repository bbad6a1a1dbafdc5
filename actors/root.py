"""Root: binds the port, holds the secrets, starts and restarts supervisor and facades, reaps. Nothing else.

It is the subreaper of everything below: whatever loses its parent comes here and is waited for. It parses no
request and no message of an agent, so little can go wrong in it; when it ends, all else does.
"""

import contextlib
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TextIO

import msgspec

from ..config.sections import Settings
from . import birth, front_door, restart, wire
from .actor import Actor, Timer
from .containment import linux, oom, rungs
from .containment.finding_out import find_out
from .containment.findings import Found
from .containment.leaves import Leaves
from .containment.probe import check_required
from .containment.reaping import own_children, reap_dead
from .containment.reporting import report
from .errors import BadMessage, ContainmentMissing, StateFolderUnusable
from .journal.lock import StateLock
from .mailbox import KeyPair
from .messages import CannotServe, Drain, OrphansSwept, Ready, ShutDown, SweepOrphans, ToRole
from .roles import FacadeStart, Keys, SupervisorStart
from .spawning import spawn_role

START_S = 30.0  # our own processes are up by then, or something is wrong
SWEEP_S = 2.0
LEAVE_S = 5.0  # a role that was told to end and has nothing left to wait for
SUPERVISOR_MAIN = "runward.actors.supervisor:main"
FACADE_MAIN = "runward.http.app:main"
GAVE_UP, DONE = 1, 0


def serve(settings: Settings, api_key: str | None, owner_fd: int | None = None) -> int:
    """Serve until SIGTERM, which drains first, or SIGINT; the exit code. Blocks.

    Called by `runward serve` in a process of its own.
    `owner_fd`: the pidfd of a process with which the server ends, too; then its runs have no grace.
    Raises `ContainmentMissing`, `StateFolderTaken`, `StateFolderUnusable`, `PortTaken`: nothing was started then.
    """
    unsupported = linux.supported()
    if unsupported is not None:
        raise ContainmentMissing(unsupported)
    found = find_out(settings)
    check_required(found, settings.containment.require)
    state_dir = Path(settings.state.dir)
    lock = StateLock(state_dir)
    lock.acquire()
    try:
        with contextlib.closing(front_door.listen(settings.http)) as listening:
            root = Root(settings, api_key, found, listening)
            if owner_fd is not None:
                root.end_with(owner_fd)
            return root.serve()
    finally:
        lock.release()


@dataclass(slots=True)
class _Role:
    """A process that root keeps alive. `make` gives its birth data for a control descriptor."""

    name: str
    main: str
    make: Callable[[int], tuple[msgspec.Struct, list[int]]]
    intensity: restart.Intensity
    pid: int = 0
    control: socket.socket | None = None
    ready: bool = False


class Root(Actor):
    """The top of the process tree."""

    def __init__(
        self, settings: Settings, api_key: str | None, found: Found, listening: socket.socket
    ) -> None:
        super().__init__()
        self._settings = settings
        self._found = found
        self._report = report(found, settings.containment.require)
        self._listening = listening
        self._state_dir = Path(settings.state.dir)
        self._api_keys = front_door.api_keys(settings.auth, api_key, self._state_dir)
        self._paths = front_door.runtime_folder(self._state_dir)
        self._server_keys = _new_keys()
        self._facade_keys = [_new_keys() for _ in range(settings.http.workers)]
        self._cookie_secret = secrets.token_bytes(32)
        self._link_token = secrets.token_urlsafe(24)
        self._supervisor = self._role("supervisor", SUPERVISOR_MAIN, self._supervisor_start)
        self._facades = [
            self._role(f"facade {index}", FACADE_MAIN, partial(self._facade_start, index))
            for index in range(1, settings.http.workers + 1)
        ]
        self._announced = False
        self._draining: Timer | None = None
        self._ending = False
        self._grace_s = 0.0  # that runs have, once it is ending
        self._patience: Timer | None = None
        self._out_of_patience = False
        self._code = DONE
        self._refusal: str | None = None

    def serve(self) -> int:
        """Start everything, serve, end everything; the exit code."""
        birth.entitle("root")
        birth.guard_secrets()
        oom.protect_ourselves()
        birth.scrub_environment()
        rungs.collect_orphans(self._found.rung)
        self.on_signal(signal.SIGTERM, self._drain)
        self.on_signal(signal.SIGINT, self._shut_down)
        self.on_signal(signal.SIGCHLD, self._reap)
        try:
            self._start(self._supervisor)
            self.after(START_S, self._check_started)
            self.run()
        finally:
            self._clean_up()
        if self._refusal is not None:
            raise StateFolderUnusable(self._refusal)
        return self._code

    def end_with(self, owner_fd: int) -> None:
        """End at once when the process of this pidfd ends. (PDEATHSIG would strike when its thread does.)"""

        def owner_ended() -> None:
            self.unwatch(owner_fd)
            self._shut_down()
            self._shut_down()

        self.watch(owner_fd, owner_ended)

    # ── birth data ───────────────────────────────────────────────────────────────────────────────

    def _role(self, name: str, main: str, make: Callable[[int], tuple[msgspec.Struct, list[int]]]) -> _Role:
        supervision = self._settings.supervision
        intensity = restart.Intensity(supervision.restart_intensity, supervision.restart_period_s)
        return _Role(name, main, make, intensity)

    def _supervisor_start(self, control_fd: int) -> tuple[msgspec.Struct, list[int]]:
        start = SupervisorStart(
            settings=_without_auth(self._settings),
            control_fd=control_fd,
            paths=self._paths,
            state_dir=str(self._state_dir),
            server_keys=self._server_keys,
            facade_keys={f"facade {n}": keys.public for n, keys in enumerate(self._facade_keys, 1)},
            found=self._found,
            is_first=not self._announced,
        )
        return start, [control_fd]

    def _facade_start(self, index: int, control_fd: int) -> tuple[msgspec.Struct, list[int]]:
        start = FacadeStart(
            settings=msgspec.structs.replace(self._settings, agents={}),
            index=index,
            listen_fd=self._listening.fileno(),
            control_fd=control_fd,
            paths=self._paths,
            state_dir=str(self._state_dir),
            keys=self._facade_keys[index - 1],
            server_key=self._server_keys.public,
            api_keys=self._api_keys,
            cookie_secret=self._cookie_secret,
            link_token_hash=front_door.hashed(self._link_token),
            report=self._report,
        )
        return start, [control_fd, self._listening.fileno()]

    # ── starting and restarting ──────────────────────────────────────────────────────────────────

    def _start(self, role: _Role) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        start, inherited = role.make(theirs.fileno())
        role.pid = spawn_role(role.main, start, inherited)
        theirs.close()
        role.control = ours
        self.watch(ours.fileno(), lambda: self._hear(role))

    def _hear(self, role: _Role) -> None:
        assert role.control is not None
        try:
            body = role.control.recv(4096)
        except OSError:
            body = b""
        if not body:
            self.unwatch(role.control.fileno())  # its exit says the rest
            return
        with contextlib.suppress(BadMessage):
            match wire.from_role.decode(body):
                case Ready():
                    role.ready = True
                    self._came_up(role)
                case CannotServe(why):
                    self._refuse(why)
                case SweepOrphans(keep):
                    role.control.send(wire.encode(OrphansSwept(self._sweep(keep))))

    def _sweep(self, keep: list[int]) -> list[int]:
        """End what lost its parent and came here, all but `keep`. Blocks until it is gone, at most some seconds."""
        ours = {role.pid for role in (self._supervisor, *self._facades)} | set(keep)

        def kill_round() -> None:
            for pid in set(own_children()) - ours:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

        deadline = time.monotonic() + SWEEP_S
        while (left := set(own_children()) - ours) and time.monotonic() < deadline:
            kill_round()
            reap_dead(self._reaped)
            os.sched_yield()
        return sorted(left)

    def _came_up(self, role: _Role) -> None:
        if role is self._supervisor:
            if self._ending:
                self._end_runs()
            elif self._draining is not None:
                self._tell(role, Drain())
            for facade in self._facades:
                if facade.pid == 0 and not self._ending:
                    self._start(facade)
        if not self._announced and all(facade.ready for facade in self._facades):
            self._announced = True
            address = front_door.url(self._listening)
            front_door.note_server(self._state_dir, address)
            _say(f"listening on {address}", sys.stdout)

    def _check_started(self) -> None:
        if not self._announced and not self._ending:
            late = [role.name for role in (self._supervisor, *self._facades) if not role.ready]
            self._give_up(f"{', '.join(late)} did not come up within {START_S:g} s")

    def _reap(self) -> None:
        reap_dead(self._reaped)

    def _reaped(self, pid: int, status: int) -> None:
        for role in (self._supervisor, *self._facades):
            if role.pid == pid:
                self._ended(role, status)

    def _ended(self, role: _Role, status: int) -> None:
        role.pid, role.ready = 0, False
        if role.control is not None:
            self.unwatch(role.control.fileno())
            role.control.close()
            role.control = None
        leaving = self._ending or self._draining is not None
        if role is self._supervisor and leaving and (status == 0 or self._out_of_patience):
            self._ending = True
            self._go_on_ending()
        elif role is not self._supervisor and self._ending:
            self._go_on_ending()
        else:  # also a supervisor whose runs have yet to end; it is told so when it is up
            self._restart(role, status)

    def _restart(self, role: _Role, status: int) -> None:
        ended = os.waitstatus_to_exitcode(status)
        _say(f"{role.name} ended ({_how(ended)}); starting it again")
        again = restart.restarted(role.intensity, time.monotonic())
        if again is None:
            self._give_up(f"{role.name} ended too often")
            return
        role.intensity = again
        self._start(role)

    # ── ending ───────────────────────────────────────────────────────────────────────────────────

    def _give_up(self, why: str) -> None:
        _say(f"giving up: {why}")
        self._code = GAVE_UP
        self._shut_down()

    def _refuse(self, why: str) -> None:
        """The state folder is of no use: before anybody was told that we serve, the server just does not start."""
        if self._announced:
            self._give_up(why)
        else:
            self._refusal = why
            self._shut_down()

    def _drain(self) -> None:
        """Take no more runs, and let the live ones end; a second signal, or the end of the patience, stops them."""
        if self._ending or self._draining is not None or not self._settings.runs.drain_s:
            self._shut_down()
            return
        self._draining = self.after(self._settings.runs.drain_s, self._shut_down)
        self._tell(self._supervisor, Drain())

    def _shut_down(self) -> None:
        """First the runs, so that their streams end with their true ends; a second signal gives them no grace."""
        again, self._ending = self._ending, True
        if self._draining is not None:
            self._draining.cancel()
        runs = self._settings.runs
        self._grace_s = 0.0 if again else max(runs.interrupt_grace_s, runs.terminate_grace_s)
        self._end_runs()
        if self._supervisor.pid == 0:
            self._go_on_ending()

    def _end_runs(self) -> None:
        """Tell the supervisor, and be patient as long as its ladders may take."""
        self._tell(self._supervisor, ShutDown(self._grace_s))
        if self._patience is not None:
            self._patience.cancel()
        self._patience = self.after(2 * self._grace_s + LEAVE_S, self._lose_patience)

    def _lose_patience(self) -> None:
        """With a supervisor that does not end; its runs then end with their wardens, by `_clean_up`."""
        self._out_of_patience = True
        self._kill(self._supervisor)

    def _go_on_ending(self) -> None:
        if self._supervisor.pid:
            return
        alive = [facade for facade in self._facades if facade.pid]
        for facade in alive:
            self._tell(facade, ShutDown(0.0))
            self.after(LEAVE_S, partial(self._kill, facade))
        if not alive:
            self.stop()

    def _tell(self, role: _Role, message: ToRole) -> None:
        if role.control is not None:
            with contextlib.suppress(OSError):
                role.control.send(wire.encode(message))

    def _kill(self, role: _Role) -> None:
        if role.pid:
            os.kill(role.pid, signal.SIGKILL)

    def _clean_up(self) -> None:
        """Whatever happened: no process, no socket and no note is left."""
        for role in (*self._facades, self._supervisor):
            self._kill(role)
            role.pid = 0
        self._sweep([])  # wardens, if they are still there, would wait for another supervisor
        self._reap_all()
        Leaves(self._found.places, str(self._state_dir)).remove_all()
        front_door.forget_server(self._state_dir)
        front_door.remove_runtime_folder(self._paths, self._state_dir)
        self.close()

    def _reap_all(self) -> None:
        """What was killed just now is waited for."""
        deadline = time.monotonic() + LEAVE_S
        while reap_dead(lambda _pid, _status: None) and time.monotonic() < deadline:
            signal.sigtimedwait({signal.SIGCHLD}, 0.05)


def _new_keys() -> Keys:
    pair = KeyPair.generate()
    return Keys(pair.public, pair.secret)


def _without_auth(settings: Settings) -> Settings:
    """Only facades learn the API keys, even as hashes."""
    return msgspec.structs.replace(settings, auth=type(settings.auth)(mode=settings.auth.mode))


def _how(ended: int) -> str:
    return f"exit code {ended}" if ended >= 0 else f"signal {-ended}"


def _say(text: str, stream: TextIO = sys.stderr) -> None:
    with contextlib.suppress(OSError):  # a log on a full disk, or whose reader has left, ends no server
        stream.write(f"runward: {text}\n")
        stream.flush()
