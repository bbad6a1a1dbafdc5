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
from functools import partial
from pathlib import Path

import msgspec

from ..config.sections import Settings
from . import birth, estate, front_door, restart, server_log, wire
from .actor import Actor, Timer
from .cast import FACADE_MAIN, SUPERVISOR_MAIN, Cast, new_keys
from .containment import linux, oom, rungs
from .containment.finding_out import find_out
from .containment.findings import Found
from .containment.leaves import Leaves
from .containment.probe import check_required
from .containment.reaping import own_children, reap_dead
from .errors import BadMessage, ContainmentMissing, StateFolderUnusable
from .estate import Estate
from .journal.lock import StateLock
from .kept import Kept
from .messages.with_root import CannotServe, Drain, OrphansSwept, Ready, ShutDown, Standby, SweepOrphans
from .renewing import Renewing
from .replacing import Replacing
from .spoken import spoken
from .succession import Again, go_on

START_S = 30.0  # our own processes are up by then, or something is wrong
SWEEP_S = 2.0
LEAVE_S = 5.0  # a role that was told to end and has nothing left to wait for
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
            root = Root(settings, api_key, new_estate(found, state_dir), listening, lock, again)
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
    front_door.webhook_secrets(settings.webhooks, Path(settings.state.dir))
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


def new_estate(found: Found, state_dir: Path) -> Estate:
    """Of a server that begins: nobody plays yet. Raises `StateFolderUnusable`."""
    return Estate(
        paths=front_door.runtime_folder(state_dir),
        server_keys=new_keys(),
        facade_keys=[],
        cookie_secret=secrets.token_bytes(32),
        link_token=secrets.token_urlsafe(24),
        found=found,
    )


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
        self._listening = listening
        self._lock = lock
        self._state_dir = Path(settings.state.dir)
        api_keys = front_door.api_keys(settings.auth, api_key, self._state_dir)
        webhook_secrets = front_door.webhook_secrets(settings.webhooks, self._state_dir)
        self.cast = Cast(self, settings, api_keys, webhook_secrets, estate, listening)
        self._renewing = Renewing(self, self, self.cast, again)
        self._replacing = Replacing(self, self.cast, self._start, self.conclude_restart)
        self._announced = False
        self._has_owner = False
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
        server_log.begin("root", self._settings.log.format)
        birth.guard_secrets()
        oom.protect_ourselves()
        birth.scrub_environment()
        rungs.collect_orphans(self._estate.found.rung)
        self.on_signal(signal.SIGTERM, self._drain)
        self.on_signal(signal.SIGINT, self._shut_down)
        self.on_signal(signal.SIGCHLD, self._reap)
        self.on_signal(signal.SIGUSR2, self._renewing.wanted)
        try:
            if self._estate.supervisor.pid:
                self._go_on()
            else:
                self._start(self.cast.supervisor)
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

        self._has_owner = True
        self.watch(owner_fd, owner_ended)

    # ── starting and restarting ──────────────────────────────────────────────────────────────────

    def _start(self, role: Kept) -> None:
        role.start(partial(self.hear, role))

    def hear(self, role: Kept, body: bytes) -> None:
        """What one of those that play, or are to play, says on its line."""
        with contextlib.suppress(BadMessage):
            match wire.from_role.decode(body):
                case Ready():
                    role.ready = True
                    self._came_up(role)
                case Standby():
                    self._replacing.stands_by(role)
                case CannotServe(why):
                    self._refuse(why)
                case SweepOrphans(end):
                    self._sweep_for(role, end)

    def _sweep_for(self, supervisor: Kept, end: list[int]) -> None:
        """If one of ours ends meanwhile, that is heard of afterwards: who takes its place is no orphan, nor asked."""
        ended: list[tuple[int, int]] = []
        left = self._sweep(
            lambda pid: pid in end or not _is_warden(pid), lambda pid, status: ended.append((pid, status))
        )
        supervisor.tell(OrphansSwept(left, sorted(self._orphans() - set(left))))
        for pid, status in ended:
            self._reaped(pid, status)

    def _orphans(self) -> set[int]:
        """What lost its parent and came here."""
        return set(own_children()) - {role.pid for role in self.cast.all()} - {self._renewing.pid}

    def _sweep(self, doomed: Callable[[int], bool], reaped: Callable[[int, int], None]) -> list[int]:
        """End the orphans that are doomed, also those that come meanwhile; who of them is left, normally none.

        Blocks until they are gone, at most some seconds.
        """
        deadline = time.monotonic() + SWEEP_S
        while (left := sorted(filter(doomed, self._orphans()))) and time.monotonic() < deadline:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            reap_dead(reaped)
            os.sched_yield()
        return left

    def _came_up(self, role: Kept) -> None:
        cast = self.cast
        if role in cast.coming:
            self._replacing.came_up(role)
        elif role is cast.supervisor:
            if self._ending:
                self._end_runs()
            elif self._draining is not None:
                role.tell(Drain())
            for facade in (*cast.facades, *cast.coming):
                if facade.pid == 0 and not self._ending:
                    self._start(facade)
        if not self._announced and all(facade.ready for facade in cast.facades):
            self._announced, cast.is_first = True, False
            address = front_door.url(self._listening)
            front_door.note_settings(self._state_dir, self._settings)
            front_door.note_server(self._state_dir, address)
            self._tell_of_console(address)  # first: who waits for the next line has heard all
            _announce(f"listening on {address}")

    def _tell_of_console(self, address: str) -> None:
        """To whoever started the server himself; with a token only to a person at a terminal, for a log is kept."""
        if self._has_owner:
            return
        if self._settings.auth.mode == "none" or not sys.stderr.isatty():
            server_log.say(f"console: {address}/")
            return
        link = front_door.console_link(self._state_dir, address, self._estate.link_token)
        life = f"{self._settings.auth.link_s / 60:g} minutes"
        server_log.say(f"console: {link} (logs in once, within {life})")

    def _check_started(self) -> None:
        if not self._announced and not self._ending:
            cast = self.cast
            late = [role.name for role in (cast.supervisor, *cast.facades) if not role.ready]
            self._give_up(f"{', '.join(late)} did not come up within {START_S:g} s")

    def _reap(self) -> None:
        reap_dead(self._reaped)

    def _reaped(self, pid: int, status: int) -> None:
        if pid == self._renewing.pid:
            self._renewing.rehearsed(status)
        for role in self.cast.all():
            if role.pid == pid:
                role.ended()
                self._ended(role, status)

    def _ended(self, role: Kept, status: int) -> None:
        cast = self.cast
        is_supervisor = role is cast.supervisor
        leaving = self._ending or self._draining is not None
        if role in cast.leaving:
            cast.leaving.remove(role)
            if self._ending:
                self._go_on_ending()
        elif role in cast.coming:
            self._replacing.fell_over(role)
        elif is_supervisor and leaving and (status == 0 or self._out_of_patience):
            self._ending = True
            self._go_on_ending()
        elif not is_supervisor and self._ending:
            self._go_on_ending()
        elif not self._replacing.comes_already(role):
            self._restart(
                role, status
            )  # also a supervisor whose runs have yet to end; it is told so when it is up

    def _restart(self, role: Kept, status: int) -> None:
        ended = os.waitstatus_to_exitcode(status)
        server_log.say(f"{role.name} ended ({_how(ended)}); starting it again", "error")
        again = restart.restarted(role.intensity, time.monotonic())
        if again is None:
            self._give_up(f"{role.name} ended too often")
            return
        role.intensity = again
        self._start(role)

    # ── the code anew ────────────────────────────────────────────────────────────────────────────

    def is_steady(self) -> bool:
        """Whether the server serves, does not end, and nobody is being replaced."""
        return self._announced and not (self._ending or self._draining or self.cast.coming)

    def estate_now(self) -> Estate:
        """What the new code has to know."""
        return msgspec.structs.replace(
            self._estate,
            listen_fd=self._listening.fileno(),
            lock_fd=self._lock.descriptor,
            supervisor=self.cast.supervisor.member,
            facades=[facade.member for facade in self.cast.facades],
            fixed=estate.fixed(self._settings),
            spoken=spoken(),
        )

    def conclude_restart(self, refused: str | None) -> None:
        """Tell what came of it."""
        server_log.say("restarted" if refused is None else f"not restarted: {refused}")
        self._estate.restarts += 1
        address = front_door.url(self._listening)
        front_door.note_settings(self._state_dir, self._settings)
        front_door.note_server(self._state_dir, address, self._estate.restarts, refused)

    def _go_on(self) -> None:
        """In the new code: all is there and plays, and is to be replaced."""
        self._announced, self.cast.is_first = True, False
        self.cast.hold(self._estate, lambda role: partial(self.hear, role))
        go_on(estate.descriptors(self._estate))
        self._replacing.begin()
        self._reap()  # whoever ended while nobody listened

    def _let_nobody_come(self) -> None:
        self._renewing.break_off()
        self._replacing.break_off()

    # ── ending ───────────────────────────────────────────────────────────────────────────────────

    def _give_up(self, why: str) -> None:
        server_log.say(f"giving up: {why}", "error")
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
        server_log.say("draining: no more runs are taken", signal="SIGTERM")
        self._let_nobody_come()
        self._draining = self.after(self._settings.runs.drain_s, self._shut_down)
        self.cast.supervisor.tell(Drain())

    def _shut_down(self) -> None:
        """First the runs, so that their streams end with their true ends; a second signal gives them no grace."""
        again, self._ending = self._ending, True
        server_log.say("stopping all runs, without grace" if again else "stopping all runs")
        self._let_nobody_come()
        if self._draining is not None:
            self._draining.cancel()
        runs = self._settings.runs
        self._grace_s = 0.0 if again else max(runs.interrupt_grace_s, runs.terminate_grace_s)
        self._end_runs()
        if self.cast.supervisor.pid == 0:
            self._go_on_ending()

    def _end_runs(self) -> None:
        """Tell the supervisor, and be patient as long as its ladders may take."""
        self.cast.supervisor.tell(ShutDown(self._grace_s))
        if self._patience is not None:
            self._patience.cancel()
        self._patience = self.after(2 * self._grace_s + LEAVE_S, self._lose_patience)

    def _lose_patience(self) -> None:
        """With a supervisor that does not end; its runs then end with their wardens, by `_clean_up`."""
        self._out_of_patience = True
        self.cast.supervisor.kill()

    def _go_on_ending(self) -> None:
        if self.cast.supervisor.pid:
            return
        alive = [role for role in (*self.cast.facades, *self.cast.leaving) if role.pid]
        for role in alive:
            role.tell(ShutDown(0.0))
            self.after(LEAVE_S, role.kill)
        if not alive:
            self.stop()

    def _clean_up(self) -> None:
        """Whatever happened: no process, no socket and no note is left."""
        for role in reversed(self.cast.all()):
            role.kill()
            role.pid = 0
        # Wardens, if they are still there, would wait for another supervisor.
        self._sweep(lambda _: True, lambda _pid, _status: None)
        self._reap_all()
        Leaves(self._estate.found.places, str(self._state_dir)).remove_all()
        front_door.forget_server(self._state_dir)
        front_door.remove_runtime_folder(self._estate.paths, self._state_dir)
        self.close()

    def _reap_all(self) -> None:
        """What was killed just now is waited for."""
        deadline = time.monotonic() + LEAVE_S
        while reap_dead(lambda _pid, _status: None) and time.monotonic() < deadline:
            signal.sigtimedwait({signal.SIGCHLD}, 0.05)


def _is_warden(orphan: int) -> bool:
    """By its session, which is ours: an agent begins one of its own, and can't come back to another (setsid(2)).

    Who comes here while a sweep goes on can be told only so: a list is too old for wardens that are forked meanwhile.
    """
    try:
        return os.getsid(orphan) == os.getsid(0)
    except ProcessLookupError:
        return False


def _how(ended: int) -> str:
    return f"exit code {ended}" if ended >= 0 else f"signal {-ended}"


def _announce(text: str) -> None:
    """On stdout, which says where we listen and nothing else."""
    with contextlib.suppress(OSError):  # a file on a full disk, or whose reader has left, ends no server
        sys.stdout.write(f"runward: {text}\n")
        sys.stdout.flush()
