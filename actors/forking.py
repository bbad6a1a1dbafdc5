"""Wardens come and go here: asked of a zygote, held by pidfd, known by a key of their own, proved gone.

Believes only the kernel about death: the pidfd says that a warden ended; that nothing of its run is left is proved
by its namespace, by its own ECHILD, or by its zygote having waited for all that it left.
"""

import contextlib
import os
import signal
from collections.abc import Callable
from functools import partial
from typing import Literal

import msgspec

from . import birth, lifecycle, limits, logs, restart
from .actor import Actor
from .containment import uids
from .containment.holders import RLIMIT, WARDEN, holders
from .containment.leaves import Leaves
from .containment.rungs import OWN_USER, RUNGS, KillRung
from .containment.uids import UidPool
from .containment.users import kill_users
from .containment.walls import UID
from .errors import AskTimeout
from .live_run import LiveRun
from .mailbox import Guard, KeyPair
from .messages import Fork, Forked, ForkFailed, FromZygote, PreloadFailed, WardenReaped, ZygoteReady
from .records import Kind, ProcessIdentity
from .register import Register
from .roles import SupervisorStart, ZygoteStart
from .sweeping import Sweeping
from .verdict import survivors
from .work_folders import WorkFolders
from .zygotes import ZygoteLink

LAST_WORDS_S = 0.05  # what a warden sent just before it died may still be on its way


class Forking:
    """All zygotes of a supervisor, and the wardens that they forked."""

    def __init__(
        self,
        actor: Actor,
        start: SupervisorStart,
        boot_id: str,
        register: Register,
        guard: Guard,
        drain_wardens: Callable[[], bool],
        sweep: Callable[[list[int]], None],
    ) -> None:
        self._actor = actor
        self._settings = start.settings
        self._state_dir = start.state_dir
        self._keeps_logs = start.settings.events.max_log_bytes > 0
        logs.prepare(start.state_dir)
        self._register = register
        self._guard = guard
        self._drain_wardens = drain_wardens
        self._sweeping = Sweeping(register, sweep)
        self.swept = self._sweeping.swept
        self._unreaped: list[LiveRun] = []  # their wardens are gone, and their zygotes have yet to say so
        self._root_pidfd = os.pidfd_open(os.getppid())
        self.leaves = Leaves(start.found.places, start.state_dir)
        self.folders = WorkFolders(actor, start.state_dir, start.found.walls_held)
        own_users = UID in start.found.walls_held
        self._holders = holders(start.found, own_users).limits
        first_uid, last_uid = uids.range_of(start.settings, start.state_dir)
        self._uids = UidPool(first_uid + 1, last_uid) if own_users else None
        self._boot_id = boot_id
        self._rung = RUNGS[start.found.rung]
        self._links = {name: self._link(start, boot_id, name) for name in start.settings.agents}
        # Agent → what its entrypoint turned out to be.
        self.kinds = {
            name: Kind.COMMAND.value for name, spec in self._settings.agents.items() if spec.command
        }

    def _link(self, start: SupervisorStart, boot_id: str, name: str) -> ZygoteLink:
        birth_data = ZygoteStart(
            name=name,
            spec=self._settings.agents[name],
            settings=msgspec.structs.replace(self._settings, agents={}),
            control_fd=-1,
            root_pidfd=self._root_pidfd,
            paths=start.paths,
            server_key=start.server_keys.public,
            boot_id=boot_id,
            kill_rung=start.found.rung,
            lower_rung=start.found.lower,
            user_namespace=start.found.user_namespace,
            walls=start.found.walls_held,
            places=start.found.places,
        )
        supervision = self._settings.supervision
        intensity = restart.Intensity(supervision.restart_intensity, supervision.restart_period_s)
        return ZygoteLink(self._actor, birth_data, intensity, self._heard, lambda: self._zygote_died(name))

    # ── the agents ───────────────────────────────────────────────────────────────────────────────

    def take_over(self) -> None:
        """End what an earlier supervisor left in leaves, folders and users, all but runs that were taken up again."""
        live = self._register.holders()
        self.leaves.take_over(run.record.leaf for run in live)
        self.folders.take_over(run.record.run_id for run in live)
        if self._uids is not None:
            self._uids.take_over(run.record.uid for run in self._register.all())
            if self._rung is OWN_USER:
                kill_users(self._uids.free)

    def warm_up(self) -> None:
        """Start the zygotes that are surely wanted: the operator's own agents and the default one."""
        for name, spec in self._settings.agents.items():
            if spec.import_root or name == self._settings.runs.default_agent:
                self._links[name].start()

    def health(self, name: str) -> Literal["ready", "starting", "down", "idle"]:
        """Of the agent's zygote."""
        return self._links[name].health

    def rung(self, name: str) -> KillRung:
        """That kills the agent's runs."""
        return RUNGS[self._links[name].rung]

    def walls(self, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Those that are round the agent's runs, and what is said of others that can't be round them."""
        return self._links[name].walls, self._links[name].missing

    def warnings(self, name: str) -> list[str]:
        """What an operator should know of the agent's zygote."""
        return self._links[name].warnings

    def close(self) -> None:
        """Let all zygotes exit, and reap them. Blocks some ms."""
        for link in self._links.values():
            link.close()
        os.close(self._root_pidfd)
        self.leaves.remove_all()
        self.folders.close()

    # ── a warden comes ───────────────────────────────────────────────────────────────────────────

    def fork(self, run: LiveRun) -> None:
        """Ask for a warden, and let it in by a new key, which it reads from a pipe after it forked its agent."""
        run.keys = KeyPair.generate()
        run.record.warden_key = run.keys.public.decode()
        self._guard.admit(run.keys.public, _holder(run))
        self._actor.ask(
            _asked(run),
            lambda: self._send_fork(run),
            self._settings.runs.start_timeout_s,
            lambda answer: self._answered(run, *answer),
            lambda error: self._overdue(run, error),
        )

    def _send_fork(self, run: LiveRun) -> None:
        try:
            link = self._links[run.record.agent]  # a run of an earlier server may name an agent that is gone
            if link.health == "down":
                raise OSError("it died too often; see the server's log")
            link.fork(self._fork_for(run), partial(self._descriptors, run))
        except KeyError:
            self._not_forked(run, f"the agent {run.record.agent!r} is no longer declared")
        except OSError as error:
            self._not_forked(run, f"its zygote took no request: {error}")

    def _fork_for(self, run: LiveRun) -> Fork:
        memory_bytes, pids, size_bytes = (
            int(run.record.limits.get(name, 0)) for name in ("memory_bytes", "pids", "work_folder_bytes")
        )
        pids += limits.own_threads(self._settings.agents[run.record.agent]) if pids else 0
        run.record.leaf = self.leaves.take(memory_bytes, pids)
        place = self.folders.place(run.record.run_id, self._settings.agents[run.record.agent], size_bytes)
        if self._uids is not None:
            run.record.uid = self._uids.take(run.record.uid)
            place = msgspec.structs.replace(place, uid=run.record.uid)
        bound, watched = (limits.held_by(who, run.record.limits, self._holders) for who in (RLIMIT, WARDEN))
        return Fork(run.record.run_id, run.record.attempt, place, run.record.leaf, bound, watched)

    def _descriptors(self, run: LiveRun) -> list[int]:
        """What the warden is given: the pipe with its keys, and the files of the run's log, if one is kept."""
        log = logs.open_all(self._state_dir, run.record.run_id) if self._keeps_logs else []
        try:
            return [_keys_pipe(run), *log]
        except OSError:
            for descriptor in log:
                os.close(descriptor)
            raise

    def _not_forked(self, run: LiveRun, why: str) -> None:
        """Told in a later turn: the caller is still carrying out the effect that led here."""
        self._actor.withdraw(_asked(run))
        self._actor.after(0, lambda: run.advance(lifecycle.NotForked(why)))

    def _overdue(self, run: LiveRun, error: AskTimeout) -> None:
        run.advance(lifecycle.Silent(str(error)))
        self._links[run.record.agent].kill()

    def _heard(self, message: FromZygote, descriptor: int | None) -> None:
        match message:
            case Forked() | ForkFailed():
                asked = ("fork", message.run_id, message.attempt)
                if not self._actor.answer(asked, (message, descriptor)) and descriptor is not None:
                    _kill_stranger(descriptor)
            case WardenReaped():
                run = self._register.get(message.run_id)
                if run is not None and run.record.attempt == message.attempt:
                    self._reaped(run, message.survivors)
            case ZygoteReady() | PreloadFailed():
                pass  # for the link alone

    def _answered(self, run: LiveRun, message: Forked | ForkFailed, pidfd: int | None) -> None:
        if isinstance(message, ForkFailed) or pidfd is None:
            why = message.error if isinstance(message, ForkFailed) else "its warden came without a pidfd"
            run.advance(lifecycle.NotForked(why))
            return
        run.pidfd, run.reaper = pidfd, self._links[run.record.agent].pid
        with contextlib.suppress(ProcessLookupError):  # it has ended, which its pidfd says too
            run.warden = ProcessIdentity(message.pid, birth.start_ticks(message.pid), self._boot_id)
        run.check_identity()
        self._actor.watch(pidfd, lambda: self._exited(run))
        run.advance(lifecycle.WardenForked())

    def _zygote_died(self, name: str) -> None:
        """Whom it forked lives on. Who waited was not forked, or nobody was told of it: that is ended by root."""
        asked = [run for run in self._register.all() if run.record.agent == name and _is_asked_for(run)]
        for run in asked:
            self._actor.withdraw(_asked(run))
        if asked:
            for link in self._links.values():
                link.hear()  # a warden that is not known yet would not be kept
            self._sweeping.sweep(lambda _: self._none_was_forked(asked))
        unreaped, self._unreaped = self._unreaped, []
        for run in unreaped:
            self._prove(run)

    def _none_was_forked(self, asked: list[LiveRun]) -> None:
        for run in filter(_is_asked_for, asked):
            run.advance(lifecycle.NotForked("its zygote died before it could be forked"))

    def adopt(self, run: LiveRun) -> None:
        """Take up a run of an earlier supervisor: its warden gets in by its old key, and is held by pidfd again."""
        if run.record.warden_key is not None:
            self._guard.admit(run.record.warden_key.encode(), _holder(run))
        if run.record.warden is not None:
            run.pidfd = birth.pidfd_of(run.record.warden, self._boot_id)
        if run.pidfd is None:
            # Once all are taken up: a sweep spares the wardens that are known then.
            self._actor.after(0, lambda: self._prove(run))
        else:
            self._actor.watch(run.pidfd, lambda: self._exited(run))

    # ── a warden goes ────────────────────────────────────────────────────────────────────────────

    def _exited(self, run: LiveRun) -> None:
        """The kernel says that the warden is gone. Without its last word, wait a moment for what is on its way."""
        assert run.pidfd is not None
        self._actor.unwatch(run.pidfd)
        while self._drain_wardens():
            pass
        if run.state.record is None:
            self._actor.after(LAST_WORDS_S, lambda: self._prove(run))
        else:
            self._prove(run)

    def _prove(self, run: LiveRun) -> None:
        """Nothing is left if the namespace went with the warden, or the warden itself saw ECHILD."""
        if self._rung.gone_with_warden or run.state.record is not None:
            run.proof = self._rung.proof
            run.advance(lifecycle.WardenGone())
        elif run.reaper is not None and self._pid_of(run.record.agent) == run.reaper:
            self._unreaped.append(run)
        else:
            # Warden and zygote were both killed where no namespace holds the rest: what is left came to root.
            self._sweeping.sweep(partial(self._left_to_root, run))

    def _pid_of(self, agent: str) -> int | None:
        """Of the agent's zygote; an agent may have gone from the settings."""
        return self._links[agent].pid if agent in self._links else None

    def _left_to_root(self, run: LiveRun, survivors: list[int]) -> None:
        if survivors:
            run.advance(lifecycle.Stuck(tuple(survivors)))
        else:
            run.proof = self._rung.proof
            run.advance(lifecycle.WardenGone())

    def _reaped(self, run: LiveRun, survivors: list[int]) -> None:
        """The zygote waited for the warden and ended its orphans: where no namespace does it, the proof."""
        if run in self._unreaped:
            self._unreaped.remove(run)
        if survivors:
            run.advance(lifecycle.Stuck(tuple(survivors)))
        elif not self._rung.gone_with_warden and run.state.record is None:
            run.proof = self._rung.proof
            self._actor.after(LAST_WORDS_S, lambda: run.advance(lifecycle.WardenGone()))

    def release(self, run: LiveRun) -> None:
        """The attempt ended: its key opens nothing any more, its pidfd is closed, an empty log is no file."""
        if run.record.warden_key is not None:
            self._guard.dismiss(run.record.warden_key.encode())
        if run.pidfd is not None:
            self._actor.unwatch(run.pidfd)
            os.close(run.pidfd)
            run.pidfd = None
        if self._keeps_logs:
            logs.remove_empty(self._state_dir, run.record.run_id)
        self.leaves.give_back(run.record.leaf)
        self.folders.ended(run.record.run_id)
        if run.kind is not None:
            self.kinds[run.record.agent] = run.kind

    def ended(self, run: LiveRun) -> None:
        """No attempt follows: its user is free too, but for one whose processes live on, or may."""
        self.release(run)
        if self._uids is not None and not survivors(run.state) and run.proof != "none":
            self._uids.give_back(run.record.uid)


def _asked(run: LiveRun) -> tuple[str, str, int]:
    return ("fork", run.record.run_id, run.record.attempt)


def _is_asked_for(run: LiveRun) -> bool:
    return run.state.phase is lifecycle.Phase.FORKING


def _holder(run: LiveRun) -> str:
    """Who the holder of the run's key is: a warden of an earlier attempt has another key, and is nobody."""
    return f"{run.record.run_id}/{run.record.attempt}"


def _keys_pipe(run: LiveRun) -> int:
    """The read end of a pipe that holds the run's keys, and nothing else ever."""
    assert run.keys is not None
    reads, writes = os.pipe()
    os.write(writes, run.keys.public + run.keys.secret)
    os.close(writes)
    return reads


def _kill_stranger(pidfd: int) -> None:
    """A warden that came after its run was given up."""
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    os.close(pidfd)
