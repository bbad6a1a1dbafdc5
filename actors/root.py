"""Root: binds the port, holds the secrets, starts and restarts supervisor and facades, reaps. Nothing else.

It is the subreaper of everything below: whatever loses its parent comes here and is waited for. It parses no
request and no message of an agent, so little can go wrong in it; when it ends, all else does.
"""

import contextlib
import importlib
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
from . import birth, estate, front_door, restart, wire
from .actor import Actor, Timer
from .containment import linux, oom, rungs
from .containment.finding_out import find_out
from .containment.findings import Found
from .containment.leaves import Leaves
from .containment.probe import check_required
from .containment.reaping import own_children, reap_dead
from .containment.reporting import report
from .errors import BadMessage, ContainmentMissing, StateFolderUnusable
from .estate import Estate, Member
from .journal.lock import StateLock
from .mailbox import KeyPair
from .messages import CannotServe, Drain, OrphansSwept, Ready, ShutDown, Standby, SweepOrphans, ToRole
from .roles import FacadeStart, Keys, SupervisorStart
from .spawning import spawn_role
from .spoken import spoken
from .succession import Again, Rehearsal, become, go_on

START_S = 30.0  # our own processes are up by then, or something is wrong
SWEEP_S = 2.0
LEAVE_S = 5.0  # a role that was told to end and has nothing left to wait for
LAST_ANSWERS_S = 1.0  # a facade that was replaced answers for so long who is connected to it
LOOK_AGAIN_S = 0.1
SUPERVISOR_MAIN = "runward.actors.supervisor:main"
FACADE_MAIN = "runward.http.app:main"
GAVE_UP, DONE = 1, 0


def serve(
    settings: Settings, api_key: str | None, owner_fd: int | None = None, again: Again | None = None
) -> int:
    """Serve until SIGTERM, which drains first, or SIGINT; the exit code. Blocks.

    Called by `runward serve` in a process of its own.
    `owner_fd`: the pidfd of a process with which the server ends, too; then its runs have no grace.
    `again`: how to start this server's code anew, on SIGUSR2; None where that can't be.
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
            root = Root(settings, api_key, _new_estate(found, state_dir), listening, lock, again)
            if owner_fd is not None:
                root.end_with(owner_fd)
            return root.serve()
    finally:
        lock.release()


def rehearse(settings: Settings, memory: int) -> None:
    """See whether this code, with these settings, could take the server of this estate over; and do nothing.

    Raises `CannotTakeOver`, `ContainmentMissing`, or whatever this code can't be loaded for.
    """
    inherited = estate.read(memory)
    estate.check(inherited, settings)
    check_required(inherited.found, settings.containment.require)
    for main in (SUPERVISOR_MAIN, FACADE_MAIN):
        importlib.import_module(main.partition(":")[0])


def take_over(settings: Settings, api_key: str | None, again: Again, memory: int) -> int:
    """As `serve`, but the server of this estate, in the process that wrote it; its runs and its port live on."""
    inherited = estate.read(memory)
    os.close(memory)
    lock = StateLock(Path(settings.state.dir))
    lock.inherit(inherited.lock_fd)
    try:
        with contextlib.closing(socket.socket(fileno=inherited.listen_fd)) as listening:
            return Root(settings, api_key, inherited, listening, lock, again).serve()
    finally:
        lock.release()


def _new_estate(found: Found, state_dir: Path) -> Estate:
    return Estate(
        paths=front_door.runtime_folder(state_dir),
        server_keys=_new_keys(),
        facade_keys=[],
        cookie_secret=secrets.token_bytes(32),
        link_token=secrets.token_urlsafe(24),
        found=found,
    )


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
        self,
        settings: Settings,
        api_key: str | None,
        estate: Estate,
        listening: socket.socket,
        lock: StateLock,
        again: Again | None = None,
    ) -> None:
        super().__init__()
        self._settings = settings
        self._estate = estate
        self._found = estate.found
        self._report = report(estate.found, settings.containment.require)
        self._listening = listening
        self._lock = lock
        self._state_dir = Path(settings.state.dir)
        self._api_keys = front_door.api_keys(settings.auth, api_key, self._state_dir)
        self._paths = estate.paths
        self._server_keys = estate.server_keys
        while len(estate.facade_keys) < settings.http.workers:
            estate.facade_keys.append(_new_keys())
        self._facade_keys = estate.facade_keys
        self._supervisor = self._new_supervisor()
        self._facades = self._new_facades()
        self._again = again
        self._rehearsal: Rehearsal | None = None
        self._coming: list[_Role] = []  # that are to replace others
        self._leaving: list[_Role] = []  # that have been replaced
        self._took_over = bool(estate.supervisor.pid)
        self._announced = self._took_over
        self._failure: str | None = None  # of a restart that is under way
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
        self.on_signal(signal.SIGUSR2, self._restart_in_place)
        try:
            if self._took_over:
                self._replace_all()
            else:
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

    def _new_supervisor(self) -> "_Role":
        return self._role("supervisor", SUPERVISOR_MAIN, self._supervisor_start)

    def _new_facades(self) -> list["_Role"]:
        return [
            self._role(f"facade {index}", FACADE_MAIN, partial(self._facade_start, index))
            for index in range(1, self._settings.http.workers + 1)
        ]

    def _supervisor_start(
        self, control_fd: int, predecessor_fd: int = -1
    ) -> tuple[msgspec.Struct, list[int]]:
        start = SupervisorStart(
            settings=_without_auth(self._settings),
            control_fd=control_fd,
            paths=self._paths,
            state_dir=str(self._state_dir),
            server_keys=self._server_keys,
            facade_keys={f"facade {n}": keys.public for n, keys in enumerate(self._facade_keys, 1)},
            found=self._found,
            is_first=not self._announced,
            predecessor_fd=predecessor_fd,
        )
        return start, [control_fd, *([predecessor_fd] if predecessor_fd >= 0 else [])]

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
            cookie_secret=self._estate.cookie_secret,
            link_token_hash=front_door.hashed(self._estate.link_token),
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
        self._listen_to(role, ours)

    def _listen_to(self, role: _Role, control: socket.socket) -> None:
        role.control = control
        self.watch(control.fileno(), lambda: self._hear(role))

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
                case Standby():
                    self._change_supervisor(role)
                case CannotServe(why):
                    self._refuse(why)
                case SweepOrphans(keep):
                    role.control.send(wire.encode(OrphansSwept(self._sweep(keep))))

    def _sweep(self, keep: list[int]) -> list[int]:
        """End what lost its parent and came here, all but `keep`. Blocks until it is gone, at most some seconds."""
        ours = {role.pid for role in self._roles()} | set(keep)
        if self._rehearsal is not None:
            ours.add(self._rehearsal.pid)

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

    def _roles(self) -> list[_Role]:
        """All that are there or are to be: each is in one of these places."""
        return [self._supervisor, *self._facades, *self._coming, *self._leaving]

    def _came_up(self, role: _Role) -> None:
        if role in self._coming:
            self._change_facade(role)
        if role is self._supervisor:
            if self._ending:
                self._end_runs()
            elif self._draining is not None:
                self._tell(role, Drain())
            for facade in (*self._facades, *self._coming):
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
        if self._rehearsal is not None and self._rehearsal.pid == pid:
            self._rehearsed(status)
        for role in self._roles():
            if role.pid == pid:
                self._ended(role, status)

    def _ended(self, role: _Role, status: int) -> None:
        role.pid, role.ready = 0, False
        if role.control is not None:
            self.unwatch(role.control.fileno())
            role.control.close()
            role.control = None
        leaving = self._ending or self._draining is not None
        if role in self._leaving:
            self._leaving.remove(role)
            if self._ending:
                self._go_on_ending()
        elif role in self._coming:
            self._stay_with(role)
        elif role is self._supervisor and self._coming and self._coming[0].main == SUPERVISOR_MAIN:
            self._supervisor = self._coming.pop(0)  # it is on its way already
        elif role is self._supervisor and leaving and (status == 0 or self._out_of_patience):
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

    # ── the code anew ────────────────────────────────────────────────────────────────────────────

    def _restart_in_place(self) -> None:
        """Somebody wants the code and the settings of now. First see whether they are any good."""
        if not self._is_steady() or self._rehearsal is not None:
            return  # it ends, or one restart is under way
        if self._again is None:
            self._conclude_restart("a server that another process embeds ends with it, and is not restarted")
            return
        memory = estate.write(self._estate_now())
        try:
            rehearsal = self._rehearsal = Rehearsal(self._again(memory, True))
        except OSError as error:
            self._conclude_restart(f"the new code can't be started: {error.strerror}")
            return
        self.after(START_S, lambda: self._break_off(rehearsal))

    def _is_steady(self) -> bool:
        """Nobody comes and nobody goes."""
        return self._announced and not (self._ending or self._draining or self._coming)

    def _break_off(self, rehearsal: Rehearsal | None) -> None:
        if rehearsal is not None and self._rehearsal is rehearsal:
            os.kill(rehearsal.pid, signal.SIGKILL)

    def _rehearsed(self, status: int) -> None:
        assert self._rehearsal is not None
        said, self._rehearsal = self._rehearsal.end(), None
        if status == 0:
            self._become()
        else:
            why = said.rpartition("\n")[2] or _how(os.waitstatus_to_exitcode(status))
            self._conclude_restart(f"the new code does not come up: {why}")

    def _become(self) -> None:
        """Execute the new code here. Returns if that fails, or once it can be tried again."""
        if not self._is_steady():
            return
        if not all(role.ready for role in (self._supervisor, *self._facades)):
            self.after(LOOK_AGAIN_S, self._become)  # one of them is just being replaced
            return
        assert self._again is not None
        now = self._estate_now()
        try:
            become(self._again(estate.write(now), False), estate.descriptors(now))
        except OSError as error:
            self._conclude_restart(f"the new code can't be executed: {error.strerror}")

    def _estate_now(self) -> Estate:
        supervisor, *facades = [
            Member(role.pid, -1 if role.control is None else role.control.fileno())
            for role in (self._supervisor, *self._facades)
        ]
        return msgspec.structs.replace(
            self._estate,
            listen_fd=self._listening.fileno(),
            lock_fd=self._lock.descriptor,
            supervisor=supervisor,
            facades=facades,
            fixed=estate.fixed(self._settings),
            spoken=spoken(),
        )

    def _replace_all(self) -> None:
        """In the new code: hold the processes of the old one, and start another supervisor beside theirs."""
        before = self._estate
        self._coming = [self._supervisor, *self._facades]
        self._supervisor, self._facades = self._new_supervisor(), []
        self._hold(self._supervisor, before.supervisor)
        for index, member in enumerate(before.facades, 1):
            facade = self._role(f"facade {index}", FACADE_MAIN, partial(self._facade_start, index))
            self._facades.append(facade)
            self._hold(facade, member)
        go_on(estate.descriptors(before))
        predecessor_fd = os.pidfd_open(self._supervisor.pid)
        coming = self._coming[0]
        coming.make = partial(self._supervisor_start, predecessor_fd=predecessor_fd)
        self._start(coming)
        coming.make = self._supervisor_start
        os.close(predecessor_fd)
        self.after(START_S, self._check_coming)
        self._reap()  # whoever ended while nobody listened

    def _check_coming(self) -> None:
        for role in tuple(self._coming):
            if role.pid:
                self._kill(role)
            else:
                self._stay_with(role)

    def _hold(self, role: _Role, member: Member) -> None:
        role.pid, role.ready = member.pid, True
        control = socket.socket(fileno=member.control_fd)
        control.setblocking(False)
        self._listen_to(role, control)

    def _change_supervisor(self, coming: _Role) -> None:
        """The new one has all loaded. The old one has nothing to hand on: what it knew is in the journal."""
        if coming not in self._coming:
            return  # the old one fell over, and this one has its place already
        old, self._supervisor = self._supervisor, coming
        self._coming.remove(coming)
        self._leaving.append(old)
        self._kill(old)

    def _change_facade(self, coming: _Role) -> None:
        """The new one accepts from the same socket; the old one answers who is connected to it, and goes."""
        self._coming.remove(coming)
        index = int(coming.name.split()[-1]) - 1
        if index < len(self._facades):
            self._let_go(self._facades[index])
            self._facades[index] = coming
        else:
            self._facades.append(coming)
        self._see_whether_restarted()

    def _let_go(self, facade: _Role) -> None:
        self._leaving.append(facade)
        self._tell(facade, ShutDown(LAST_ANSWERS_S))
        self.after(LAST_ANSWERS_S + LEAVE_S, partial(self._kill, facade))

    def _stay_with(self, failed: _Role) -> None:
        """What was to come fell over. Who is there goes on."""
        self._coming.remove(failed)
        self._failure = f"the new {failed.name} did not come up; see the server's log"
        if failed.main == SUPERVISOR_MAIN:
            self._coming.clear()
        self._see_whether_restarted()

    def _see_whether_restarted(self) -> None:
        if self._coming:
            return
        if self._failure is None:
            for facade in self._facades[self._settings.http.workers :]:
                self._let_go(facade)
            del self._facades[self._settings.http.workers :]
        self._conclude_restart(self._failure)

    def _conclude_restart(self, refused: str | None) -> None:
        _say("restarted" if refused is None else f"not restarted: {refused}")
        self._failure = None
        self._estate.restarts += 1
        address = front_door.url(self._listening)
        front_door.note_server(self._state_dir, address, self._estate.restarts, refused)

    def _let_nobody_come(self) -> None:
        """The server ends: nobody is replaced any more."""
        for role in self._coming:
            if role.pid:
                self._kill(role)
                self._leaving.append(role)
        self._coming.clear()
        self._break_off(self._rehearsal)

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
        self._let_nobody_come()
        self._draining = self.after(self._settings.runs.drain_s, self._shut_down)
        self._tell(self._supervisor, Drain())

    def _shut_down(self) -> None:
        """First the runs, so that their streams end with their true ends; a second signal gives them no grace."""
        again, self._ending = self._ending, True
        self._let_nobody_come()
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
        alive = [facade for facade in (*self._facades, *self._leaving) if facade.pid]
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
        for role in reversed(self._roles()):
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
