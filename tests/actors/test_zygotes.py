"""The supervisor's end of a zygote: a real one, and some that behave like none."""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runward.actors import birth, zygotes
from runward.actors.mailbox import KeyPair
from runward.actors.messages.with_zygote import (
    Fork,
    Forked,
    ForkFailed,
    FromZygote,
    PreloadFailed,
    WardenReaped,
    ZygoteReady,
)
from runward.actors.restart import Intensity
from runward.actors.roles import Paths, ZygoteStart
from runward.actors.zygotes import ZygoteLink
from runward.config.sections import AgentSpec, RunsSettings, Settings
from tests.support.rungs import skip_unless_held
from tests.support.waiting import AT_LAST_S, until

from .forks import in_a_fork, own_children
from .loops import Recorder
from .posts import SERVER

pytestmark = pytest.mark.usefixtures("nothing_left")


class House:
    """A supervisor with one zygote. `heard` is what that said, with the descriptor that came."""

    def __init__(
        self, folder: Path, preload: tuple[str, ...] = (), most: int = 1, timeout_s: float = 30.0
    ) -> None:
        self.actor = Recorder(time.monotonic)
        self.heard: list[tuple[FromZygote, int | None]] = []
        self.deaths = 0
        self.root_pidfd = os.pidfd_open(os.getpid())
        start = ZygoteStart(
            name="echo",
            spec=AgentSpec(name="echo", entrypoint="runward.actors.builtin:echo", preload=preload),
            settings=Settings(runs=RunsSettings(start_timeout_s=timeout_s)),
            control_fd=-1,
            root_pidfd=self.root_pidfd,
            paths=Paths(str(folder)),
            server_key=SERVER.public,
            boot_id=birth.boot_id(),
            kill_rung="pidns" if os.geteuid() == 0 else "subreaper",
            user_namespace=False,
        )
        self.link = ZygoteLink(self.actor, start, Intensity(most, 60.0), self._hear, self._died)

    def _hear(self, message: FromZygote, descriptor: int | None) -> None:
        self.heard.append((message, descriptor))

    def _died(self) -> None:
        self.deaths += 1

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        """Turn until it holds."""
        return until(lambda: self.actor.turn_at_once() and condition(), AT_LAST_S, what)

    def until_ready(self) -> "House":
        self.link.start()
        self.until(lambda: self.link.health == "ready", "a zygote that is ready")
        return self

    def await_word(self, kind: type[FromZygote]) -> tuple[Any, int | None]:
        """The first message of this kind, with its descriptor."""
        return self.until(  # type: ignore[no-any-return]
            lambda: next((heard for heard in self.heard if isinstance(heard[0], kind)), None), kind.__name__
        )

    def pid(self) -> int:
        [pid] = own_children()[-1:]
        return pid

    def close(self) -> None:
        self.link.close()
        self.actor.close()
        os.close(self.root_pidfd)
        for _, descriptor in self.heard:
            if descriptor is not None:
                os.close(descriptor)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., House]]:
    """Makes houses, and closes them."""
    made: list[House] = []

    def house(**more: Any) -> House:
        made.append(House(tmp_path, **more))
        return made[-1]

    yield house
    for each in made:
        each.close()


def keys() -> list[int]:
    """A pipe that holds a warden's keys: made when it is asked for."""
    pair = KeyPair.generate()
    reads, writes = os.pipe()
    os.write(writes, pair.public + pair.secret)
    os.close(writes)
    return [reads]


def test_a_zygote_is_started_when_it_is_needed_and_says_when_it_is_ready(make: Callable[..., House]) -> None:
    house = make()
    assert (house.link.health, house.link.pid) == ("idle", None)
    house.link.start()
    assert (house.link.health, house.link.pid is None) == ("starting", False)
    house.until_ready()
    house.link.start()  # it is there
    ready, descriptor = house.heard[0]
    assert isinstance(ready, ZygoteReady)
    assert (ready.pid, descriptor) == (house.pid(), None)
    assert Path(f"/proc/{ready.pid}/cmdline").read_bytes().rstrip(b"\0") == b"runward: zygote echo"


def test_a_fork_that_is_asked_for_too_early_waits_for_the_zygote(make: Callable[..., House]) -> None:
    skip_unless_held("pidns" if os.geteuid() == 0 else "subreaper")
    house = make()
    house.link.fork(Fork("run_1", 1), keys)
    assert house.link.health == "starting"
    forked, pidfd = house.await_word(Forked)
    assert (forked.run_id, forked.attempt) == ("run_1", 1)
    assert pidfd is not None
    assert f"Pid:\t{forked.pid}\n" in Path(f"/proc/self/fdinfo/{pidfd}").read_text()
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    reaped, _ = house.await_word(WardenReaped)
    assert (reaped.run_id, reaped.pid, os.WTERMSIG(reaped.status)) == ("run_1", forked.pid, signal.SIGKILL)


def test_many_forks_at_once_each_have_their_answer(make: Callable[..., House]) -> None:
    house = make()
    for number in range(20):
        house.link.fork(Fork(f"run_{number}", 1), keys)
    house.until(lambda: sum(isinstance(said, Forked) for said, _ in house.heard) == 20, "all wardens")
    for said, pidfd in house.heard:
        if isinstance(said, Forked) and pidfd is not None:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    house.until(lambda: sum(isinstance(said, WardenReaped) for said, _ in house.heard) == 20, "all ends")
    ends = {said.run_id for said, _ in house.heard if isinstance(said, WardenReaped)}
    assert ends == {f"run_{number}" for number in range(20)}


def test_a_fork_whose_descriptors_can_not_be_made_is_a_failed_one_and_the_next_goes_on(
    make: Callable[..., House],
) -> None:
    def full() -> list[int]:
        raise OSError(24, "Too many open files")

    house = make()
    house.link.fork(Fork("run_1", 1), full)
    house.link.fork(Fork("run_2", 1), keys)
    failed, _ = house.await_word(ForkFailed)
    assert (failed.run_id, "Too many open files" in failed.error) == ("run_1", True)
    forked, pidfd = house.await_word(Forked)
    assert (forked.run_id, pidfd is not None) == ("run_2", True)
    signal.pidfd_send_signal(pidfd or -1, signal.SIGKILL)


def test_a_zygote_that_died_is_told_of_once_and_started_again_when_it_is_needed(
    make: Callable[..., House],
) -> None:
    house = make().until_ready()
    house.link.kill()
    house.until(lambda: house.deaths, "its death")
    assert (house.link.health, house.link.pid, house.deaths) == ("idle", None, 1)
    house.link.kill()  # nobody
    assert house.until_ready().deaths == 1


def test_a_zygote_that_dies_too_often_is_down(make: Callable[..., House]) -> None:
    house = make(most=1)
    for number in (1, 2):
        house.until_ready()
        os.kill(house.pid(), signal.SIGSEGV)
        house.until(lambda: house.deaths == number, "its death")  # noqa: B023 - called at once
    assert house.link.health == "down"


def test_close_lets_a_zygote_go_and_reaps_it(make: Callable[..., House]) -> None:
    house = make().until_ready()
    pid = house.pid()
    house.link.close()
    assert house.link.pid is None
    assert pid not in own_children()
    house.link.close()
    assert house.deaths == 0


def test_close_does_not_wait_for_a_zygote_that_is_not_ready(make: Callable[..., House]) -> None:
    house = make(preload=("tests.actors.hanging",))
    house.link.start()
    house.link.fork(Fork("run_1", 1), keys)
    began = time.monotonic()
    house.link.close()
    assert time.monotonic() - began < 5.0


def test_close_does_not_wait_for_ever_for_a_zygote_that_is_stopped(tmp_path: Path) -> None:
    def close() -> bool:
        house = House(tmp_path).until_ready()
        os.kill(house.pid(), signal.SIGSTOP)
        signal.alarm(5)  # ends this process if it waits on
        house.link.close()
        return True

    assert in_a_fork(close)


# ── a preload that makes trouble ────────────────────────────────────────────────────────────────


def test_a_preload_that_is_not_there_is_told_and_done_without(make: Callable[..., House]) -> None:
    house = make(preload=("no.such.module",))
    house.link.fork(Fork("run_1", 1), keys)
    _, pidfd = house.await_word(Forked)
    assert pidfd is not None
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    assert house.deaths == 0
    [warning] = house.link.warnings
    assert "not preloaded: no.such.module" in warning
    assert "ModuleNotFoundError" in warning
    assert isinstance(house.heard[0][0], PreloadFailed)


def test_a_preload_that_does_not_end_is_ended_and_done_without(make: Callable[..., House]) -> None:
    house = make(preload=("tests.actors.hanging",), timeout_s=1.0).until_ready()
    [warning] = house.link.warnings
    assert "did not end within 0.5 s" in warning
    assert house.deaths == 0


# ── who is no zygote ────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def instead(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[socket.socket], None]], None]:
    """Starts this in a forked child where a zygote should be."""

    def started(deed: Callable[[socket.socket], None]) -> None:
        def spawn(_main: str, start: ZygoteStart, inherited: tuple[int, ...]) -> int:
            pid = os.fork()
            if pid == 0:
                try:
                    signal.alarm(10)
                    os.closerange(3, inherited[0])
                    deed(socket.socket(fileno=inherited[0]))
                finally:
                    os._exit(0)
            return pid

        monkeypatch.setattr(zygotes, "spawn", spawn)

    return started


def garbage(control: socket.socket) -> None:
    control.send(b"garbage")
    signal.pause()


def another_direction(control: socket.socket) -> None:
    control.send(b"\x93\xa4fork\xa5run_1\x01")
    signal.pause()


def too_long(control: socket.socket) -> None:
    control.send(b"x" * 2 * zygotes.MESSAGE_BYTES)
    signal.pause()


def nothing(control: socket.socket) -> None:
    """It ends at once."""


def hangs_up(control: socket.socket) -> None:
    control.close()
    signal.alarm(1)
    signal.pause()


@pytest.mark.parametrize("deed", [garbage, another_direction, too_long, nothing, hangs_up])
def test_what_is_no_zygote_of_ours_is_ended_and_counted(
    make: Callable[..., House],
    instead: Callable[[Callable[[socket.socket], None]], None],
    deed: Callable[[socket.socket], None],
) -> None:
    instead(deed)
    house = make()
    house.link.fork(Fork("run_1", 1), keys)
    house.until(lambda: house.deaths, "its death")
    assert (house.link.health, house.heard) == ("idle", [])
