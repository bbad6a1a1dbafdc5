"""Who root keeps alive: one supervisor and the facades, each with what it is born with."""

import socket
from collections import Counter
from collections.abc import Callable
from functools import partial

import msgspec

from ..config.sections import Settings
from . import front_door, restart
from .actor import Actor
from .containment.reporting import report
from .estate import Estate
from .kept import Kept
from .mailbox import KeyPair
from .roles import ApiKey, FacadeStart, KeyCaps, Keys, SupervisorStart

SUPERVISOR_MAIN = "runward.actors.supervisor:begin"
FACADE_MAIN = "runward.http.facade_process:begin"


def new_keys() -> Keys:
    """A pair that nobody else has."""
    pair = KeyPair.generate()
    return Keys(pair.public, pair.secret)


class Cast:
    """Each is in one place: it plays, it is `coming` to replace one, or it is `leaving`, having been replaced."""

    def __init__(
        self,
        actor: Actor,
        settings: Settings,
        api_keys: list[ApiKey],
        webhook_secrets: list[bytes],
        estate: Estate,
        listening: socket.socket,
    ) -> None:
        self._actor = actor
        self._settings = settings
        self._api_keys = api_keys
        self._webhook_secrets = webhook_secrets
        self._estate = estate
        self._listening = listening
        self._report = report(estate.found, settings.containment.require)
        while len(estate.facade_keys) < settings.http.workers:
            estate.facade_keys.append(new_keys())
        self._starts: Counter[str] = Counter()
        self.is_first = True  # the supervisor that is started next, of this server
        self.supervisor = self.new_supervisor()
        self.facades = self.new_facades()
        self.coming: list[Kept] = []
        self.leaving: list[Kept] = []

    def hold(self, before: Estate, heard: Callable[[Kept], Callable[[bytes], None]]) -> None:
        """Those that the code before started play on. `heard`: who hears what each of them says."""
        self.facades = [self.new_facade(index) for index in range(1, len(before.facades) + 1)]
        members = [before.supervisor, *before.facades]
        for role, member in zip((self.supervisor, *self.facades), members, strict=True):
            role.hold(member, heard(role))

    def all(self) -> list[Kept]:
        """All that are there or are to be."""
        return [self.supervisor, *self.facades, *self.coming, *self.leaving]

    @property
    def is_ready(self) -> bool:
        """Whether each of those that play does."""
        return all(role.ready for role in (self.supervisor, *self.facades))

    def new_supervisor(self, predecessor_fd: int = -1) -> Kept:
        """One that is not started yet; with the pidfd of another one, it waits for the end of that."""
        return self._kept("supervisor", SUPERVISOR_MAIN, partial(self._supervisor_start, predecessor_fd))

    def new_facade(self, index: int) -> Kept:
        """The one with this number, from 1, not started yet."""
        return self._kept(f"facade {index}", FACADE_MAIN, partial(self._facade_start, index))

    def new_facades(self) -> list[Kept]:
        """As many as the settings want."""
        return [self.new_facade(index) for index in range(1, self._settings.http.workers + 1)]

    def _kept(self, name: str, main: str, make: "partial[tuple[msgspec.Struct, list[int]]]") -> Kept:
        supervision = self._settings.supervision
        intensity = restart.Intensity(supervision.restart_intensity, supervision.restart_period_s)
        return Kept(self._actor, name, main, make, intensity)

    def _supervisor_start(self, predecessor_fd: int, control_fd: int) -> tuple[msgspec.Struct, list[int]]:
        estate = self._estate
        self._starts["supervisor"] += 1
        start = SupervisorStart(
            settings=_without_auth(self._settings),
            control_fd=control_fd,
            paths=estate.paths,
            state_dir=self._settings.state.dir,
            server_keys=estate.server_keys,
            facade_keys={f"facade {n}": keys.public for n, keys in enumerate(estate.facade_keys, 1)},
            found=estate.found,
            is_first=self.is_first,
            starts=self._starts["supervisor"],
            key_caps={key.name: KeyCaps(key.max_live, key.max_queued) for key in self._settings.auth.keys},
            predecessor_fd=predecessor_fd,
        )
        return start, [fd for fd in (control_fd, predecessor_fd) if fd >= 0]

    def _facade_start(self, index: int, control_fd: int) -> tuple[msgspec.Struct, list[int]]:
        name = f"facade {index}"
        self._starts[name] += 1
        start = FacadeStart(
            settings=msgspec.structs.replace(self._settings, agents={}),
            index=index,
            listen_fd=self._listening.fileno(),
            control_fd=control_fd,
            paths=self._estate.paths,
            state_dir=self._settings.state.dir,
            keys=self._estate.facade_keys[index - 1],
            server_key=self._estate.server_keys.public,
            api_keys=self._api_keys,
            cookie_secret=self._estate.cookie_secret,
            link_token_hash=front_door.hashed(self._estate.link_token),
            starts=self._starts[name],
            webhook_secrets=self._webhook_secrets if index == 1 else [],
            report=self._report,
        )
        return start, [control_fd, self._listening.fileno()]


def _without_auth(settings: Settings) -> Settings:
    """Only facades learn the API keys, even as hashes, and how their traces are sent."""
    without = type(settings.auth)(mode=settings.auth.mode)
    return msgspec.structs.replace(settings, auth=without, trace_variables={})
