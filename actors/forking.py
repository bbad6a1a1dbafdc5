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

from . import birth, lifecycle, limits, restart
from .actor import Actor
from .containment.rungs import OWN_USER, RUNGS, KillRung
from .errors import AskTimeout
from .live_run import LiveRun
from .mailbox import Guard
from .messages.from_run import Hello
from .messages.with_zygote import Forked, ForkFailed, FromZygote, PreloadFailed, WardenReaped, ZygoteReady
from .provisions import Provisions, asked_by
from .records import Kind, ProcessIdentity
from .register import Register
from .roles import SupervisorStart, ZygoteStart
from .spares import Spare, Spares
from .sweeping import Sweeping
from .verdict import survivors
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
        self._register = register
        self.provisions = Provisions(actor, start, guard)
        self._drain_wardens = drain_wardens
        self._sweeping = Sweeping(self._known_wardens, sweep)
        self.swept = self._sweeping.swept
        self._unreaped: list[LiveRun] = []  # their wardens are gone, and their zygotes have yet to say so
        self._root_pidfd = os.pidfd_open(os.getppid())
        self._boot_id = boot_id
        self._rung = RUNGS[start.found.rung]
        self._links = {name: self._link(start, boot_id, name) for name in start.settings.agents}
        usual = {name: limits.tightened(spec.limits, {}) for name, spec in start.settings.agents.items()}
        runs = start.settings.runs
        self._spares = Spares(
            actor, self.provisions, self._links, usual, runs.spares, runs.start_timeout_s, boot_id
        )
        self.reserve = self._spares.reserve
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
        holding = [run.record for run in self._register.holders()]
        every = [run.record for run in self._register.all()]
        self.provisions.take_over(holding, every, self._rung is OWN_USER)

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

    def zygote_starts(self) -> dict[str, int]:
        """How often each agent's zygote was started."""
        return {name: link.starts for name, link in self._links.items()}

    def close(self) -> None:
        """Let all zygotes exit, and reap them. Blocks some ms."""
        self._spares.close()
        for link in self._links.values():
            link.close()
        os.close(self._root_pidfd)
        self.provisions.close()

    # ── a warden comes ───────────────────────────────────────────────────────────────────────────

    def fork(self, run: LiveRun) -> None:
        """Ask for a warden, unless there is a spare one."""
        self._spares.starts(run.record.agent, run.record.run_id)
        spare = self._spares.take(run.record)
        if spare is not None:
            self._take(run, spare)
            return
        self.provisions.make_key(run)
        self._ask(run, lambda: self._send_fork(run))

    def _ask(self, run: LiveRun, tell: Callable[[], None]) -> None:
        self._actor.ask(
            asked_by(run),
            tell,
            self._settings.runs.start_timeout_s,
            lambda answer: self._answered(run, *answer),
            lambda error: self._overdue(run, error),
        )

    def _take(self, run: LiveRun, spare: Spare) -> None:
        """What a fork would have brought is there, or on its way. Told in a later turn, like every answer."""
        run.keys = spare.keys
        if spare.pidfd is None:
            self._ask(run, lambda: None)  # the answer is the run's now
            return
        run.pidfd, run.reaper, run.warden = spare.pidfd, spare.reaper, spare.warden
        self._actor.watch(spare.pidfd, lambda: self._exited(run))
        self._actor.after(0, lambda: self._taken(run, spare.hello))

    def _taken(self, run: LiveRun, hello: tuple[bytes, Hello] | None) -> None:
        run.advance(lifecycle.WardenForked())
        if hello is not None:
            run.greeted(*hello)
            self.greeted(run)

    def greeted(self, run: LiveRun) -> None:
        """Its agent is let go: there is time to make another spare."""
        self._spares.started(run.record.agent, run.record.run_id)

    def stranger_greeted(self, name: str, route: bytes, hello: Hello) -> None:
        """The holder of a key that is no run's."""
        self._spares.greeted(name, route, hello)

    def _send_fork(self, run: LiveRun) -> None:
        try:
            link = self._links[run.record.agent]  # a run of an earlier server may name an agent that is gone
            if link.health == "down":
                raise OSError("it died too often; see the server's log")
            link.fork(self.provisions.fork_for(run), partial(self.provisions.descriptors, run))
        except KeyError:
            self._not_forked(run, f"the agent {run.record.agent!r} is no longer declared")
        except OSError as error:
            self._not_forked(run, f"its zygote took no request: {error}")

    def _not_forked(self, run: LiveRun, why: str) -> None:
        """Told in a later turn: the caller is still carrying out the effect that led here."""
        self._actor.withdraw(asked_by(run))
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
            self._actor.withdraw(asked_by(run))
        if self._spares.zygote_died(name) or asked:
            self._sweeping.sweep(lambda _: self._none_was_forked(asked))
        unreaped, self._unreaped = self._unreaped, []
        for run in unreaped:
            self._prove(run)

    def _known_wardens(self) -> set[int]:
        """Pids of those that are a run's or a spare's, also if their zygotes said so only just now."""
        for link in self._links.values():
            link.hear()
        holders: list[LiveRun | Spare] = [*self._register.all(), *self._spares.all()]
        return {holder.warden.pid for holder in holders if holder.warden is not None}

    def _none_was_forked(self, asked: list[LiveRun]) -> None:
        for run in filter(_is_asked_for, asked):
            run.advance(lifecycle.NotForked("its zygote died before it could be forked"))

    def adopt(self, run: LiveRun) -> None:
        """Take up a run of an earlier supervisor: its warden gets in by its old key, and is held by pidfd again."""
        self.provisions.admit(run)
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
        """The attempt ended: its pidfd is closed, and what it was given is given back."""
        self._spares.started(run.record.agent, run.record.run_id)
        if run.pidfd is not None:
            self._actor.unwatch(run.pidfd)
            os.close(run.pidfd)
            run.pidfd = None
        self.provisions.give_back(run)
        if run.kind is not None:
            self.kinds[run.record.agent] = run.kind

    def ended(self, run: LiveRun) -> None:
        """No attempt follows: its user is free too, but for one whose processes live on, or may."""
        self.release(run)
        if not survivors(run.state) and run.proof != "none":
            self.provisions.give_back_user(run.record)


def _is_asked_for(run: LiveRun) -> bool:
    return run.state.phase is lifecycle.Phase.FORKING


def _kill_stranger(pidfd: int) -> None:
    """A warden that came after its run was given up."""
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    os.close(pidfd)
