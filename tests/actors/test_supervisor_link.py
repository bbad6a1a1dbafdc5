"""A warden's line to its supervisors: over real mailboxes, with descriptors that say when somebody is gone."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runward.actors import wire
from runward.actors.mailbox import KeyPair
from runward.actors.messages.from_run import Events, Exited, FromRun, Hello, RungReached
from runward.actors.messages.to_run import EventsAcked, Go, ToRun
from runward.actors.records import ProcessIdentity, RunInput
from runward.actors.roles import Paths, ZygoteStart
from runward.actors.supervisor_link import LAST_WORD_S, SupervisorLink
from runward.config.sections import AgentSpec, EventsSettings, RunsSettings, Settings
from tests.support.waiting import until

from .lives import a_record
from .loops import Clock, Recorder
from .posts import ANN, DEADLINE_S, SERVER, STRANGER, Server

pytestmark = pytest.mark.usefixtures("nothing_left")

IDENTITY = ProcessIdentity(70, 7, "boot")
HELLO = Hello("run_1", 1, IDENTITY, IDENTITY)
EXITED = Exited("run_1", 1, a_record())
GO = Go(RunInput(input="hello"))
TIMEOUT_S = 30.0


def batch(n: int, count: int = 1) -> Events:
    return Events("run_1", 1, n, count, b"{}\n" * count)


class Warden:
    """The holder of a line. `heard` is what supervisors told it, `abandoned` how often it was told of the end."""

    def __init__(self, folder: Path, keys: KeyPair, orphan_timeout_s: float) -> None:
        self.clock = Clock()
        self.actor = Recorder(self.clock)
        self.heard: list[ToRun] = []
        self.abandoned = 0
        self.supervisor, self.root = os.pipe(), os.pipe()
        start = ZygoteStart(
            name="echo",
            spec=AgentSpec(name="echo"),
            settings=Settings(
                runs=RunsSettings(orphan_timeout_s=orphan_timeout_s),
                events=EventsSettings(batches_in_flight=3),
            ),
            control_fd=-1,
            root_pidfd=self.root[0],
            paths=Paths(str(folder)),
            server_key=SERVER.public,
            boot_id="boot",
            kill_rung="pidns",
            user_namespace=False,
        )
        self.link = SupervisorLink(
            *(self.actor, start, keys, self.supervisor[0], self.root[0]), self.heard.append, self._abandon
        )
        self.link.greet(HELLO)

    def _abandon(self) -> None:
        self.abandoned += 1

    def lose(self, whom: tuple[int, int]) -> None:
        """It ended: its descriptor becomes readable."""
        os.close(whom[1])
        self.actor.turn_at_once()

    def pass_time(self, seconds: float) -> None:
        self.clock.time_s += seconds
        self.actor.turn_at_once()

    def close(self) -> None:
        self.link._close()
        self.link._post.close()
        self.actor.close()
        for end in (*self.supervisor, *self.root):
            try:
                os.close(end)
            except OSError:  # one that was lost
                continue


class Supervisor(Server):
    """A supervisor that lets ann in. `said` is what it heard on the newest line, in order."""

    def __init__(self, folder: Path) -> None:
        (folder / "runs").unlink(missing_ok=True)
        super().__init__(folder)
        self.inbox.close()
        self.inbox = self.post.inbox(str(folder / "runs"), SERVER)

    @property
    def said(self) -> list[FromRun]:
        return [wire.from_run.decode(body) for body in self.bodies()]

    def tell(self, message: ToRun) -> None:
        assert self.inbox.send(self.heard[-1][0].route, wire.encode(message))


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Warden]]:
    made: list[Warden] = []

    def warden(keys: KeyPair = ANN, orphan_timeout_s: float = TIMEOUT_S) -> Warden:
        made.append(Warden(tmp_path, keys, orphan_timeout_s))
        return made[-1]

    yield warden
    for each in made:
        each.close()


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[[], Supervisor]]:
    """Makes supervisors, one after the other; the one before is gone, without having said goodbye."""
    made: list[Supervisor] = []

    def supervisor() -> Supervisor:
        for before in made[-1:]:
            before.close()
        made.append(Supervisor(tmp_path))
        return made[-1]

    yield supervisor
    for last in made[-1:]:
        last.close()


def until_said(warden: Warden, supervisor: Supervisor, *messages: FromRun) -> None:
    """Return once the supervisor has heard exactly these; fails at once if it heard others."""

    def heard() -> bool:
        warden.actor.turn_at_once()
        said = supervisor.said
        assert said == list(messages[: len(said)])
        return len(said) == len(messages)

    until(heard, DEADLINE_S, f"{messages}")


def until_heard(warden: Warden, supervisor: Supervisor, message: ToRun) -> None:
    supervisor.tell(message)
    until(
        lambda: warden.actor.turn_at_once() and supervisor.turn() and message in warden.heard,
        DEADLINE_S,
        f"{message}",
    )


def again(last_n: int) -> Hello:
    return Hello("run_1", 1, IDENTITY, IDENTITY, last_n)


def test_the_next_supervisor_is_told_hello_and_where_it_stands_then_what_was_not_acknowledged(
    make: Callable[..., Warden], supervise: Callable[[], Supervisor]
) -> None:
    first, warden = supervise(), make()
    warden.link.tell_events(batch(1, 2))
    warden.link.tell_events(batch(3))
    until_said(warden, first, HELLO, batch(1, 2), batch(3))
    second = supervise()
    warden.lose(warden.supervisor)
    warden.link.tell_events(batch(4))
    until_said(warden, second, again(last_n=3))
    until_heard(warden, second, EventsAcked(2))
    until_said(warden, second, again(last_n=3), batch(3), batch(4))
    assert not warden.link.unacked.full


def test_what_nobody_hears_is_not_said_later_but_for_events_and_the_last_word(
    make: Callable[..., Warden], supervise: Callable[[], Supervisor]
) -> None:
    supervise()
    warden = make()
    second = supervise()
    warden.lose(warden.supervisor)
    warden.link.tell(RungReached("run_1", 1, "stop_1", "interrupt"))
    warden.link.tell_events(batch(1))
    warden.link.tell_exit(EXITED)
    until_said(warden, second, again(last_n=0))
    until_heard(warden, second, EventsAcked(0))
    until_said(warden, second, again(last_n=0), batch(1), EXITED)


def test_a_last_word_that_was_said_is_said_again(
    make: Callable[..., Warden], supervise: Callable[[], Supervisor]
) -> None:
    first, warden = supervise(), make()
    warden.link.tell_exit(EXITED)
    until_said(warden, first, HELLO, EXITED)
    second = supervise()
    warden.lose(warden.supervisor)
    until_said(warden, second, again(last_n=0))
    until_heard(warden, second, EventsAcked(0))
    until_said(warden, second, again(last_n=0), EXITED)


def test_every_later_supervisor_is_found_too(
    make: Callable[..., Warden], supervise: Callable[[], Supervisor]
) -> None:
    """Their ends no pidfd tells: the line itself breaks off."""
    first, warden = supervise(), make()
    until_said(warden, first, HELLO)
    warden.lose(warden.supervisor)
    for n in range(1, 5):
        supervisor = supervise()
        until_said(warden, supervisor, again(last_n=n - 1))
        until_heard(warden, supervisor, EventsAcked(n - 1))
        warden.link.tell_events(batch(n))
        until_said(warden, supervisor, again(last_n=n - 1), batch(n))
        warden.heard.clear()
    assert warden.abandoned == 0


def test_messages_of_the_next_supervisor_reach_the_warden(
    make: Callable[..., Warden], supervise: Callable[[], Supervisor]
) -> None:
    supervise()
    warden = make()
    second = supervise()
    warden.lose(warden.supervisor)
    until_said(warden, second, again(last_n=0))
    until_heard(warden, second, EventsAcked(0))
    until_heard(warden, second, GO)
    assert warden.heard == [EventsAcked(0), GO]


def test_a_supervisor_that_does_not_know_the_key_means_the_end(
    make: Callable[..., Warden], supervise: Callable[[], Supervisor]
) -> None:
    warden = make(STRANGER)
    supervisor = supervise()
    warden.lose(warden.supervisor)
    until(
        lambda: warden.actor.turn_at_once() and supervisor.turn() and warden.abandoned, DEADLINE_S, "the end"
    )
    assert supervisor.said == []
    warden.lose(warden.root)
    warden.pass_time(2 * TIMEOUT_S)
    assert warden.abandoned == 1


def test_no_supervisor_within_the_timeout_means_the_end(make: Callable[..., Warden]) -> None:
    warden = make()
    warden.lose(warden.supervisor)
    warden.pass_time(TIMEOUT_S - 1)
    assert warden.abandoned == 0
    warden.pass_time(2)
    assert warden.abandoned == 1


def test_with_no_timeout_the_end_of_the_supervisor_is_the_end(make: Callable[..., Warden]) -> None:
    warden = make(orphan_timeout_s=0.0)
    assert warden.abandoned == 0
    warden.lose(warden.supervisor)
    assert warden.abandoned == 1


@pytest.mark.parametrize("supervisor_first", [False, True])
def test_with_root_gone_no_supervisor_is_waited_for(
    make: Callable[..., Warden], supervisor_first: bool
) -> None:
    warden = make()
    if supervisor_first:
        warden.lose(warden.supervisor)
        assert warden.abandoned == 0
    warden.lose(warden.root)
    assert warden.abandoned == 1


def test_the_timeout_begins_anew_with_each_supervisor(
    make: Callable[..., Warden], supervise: Callable[[], Supervisor]
) -> None:
    first, warden = supervise(), make()
    until_said(warden, first, HELLO)
    warden.lose(warden.supervisor)
    for _ in range(3):
        supervisor = supervise()
        warden.pass_time(TIMEOUT_S - 1)
        until_said(warden, supervisor, again(last_n=0))
        until_heard(warden, supervisor, EventsAcked(0))
    assert warden.abandoned == 0


def test_a_last_word_that_a_supervisor_does_not_acknowledge_is_the_end_in_time(
    make: Callable[..., Warden], supervise: Callable[[], Supervisor]
) -> None:
    first, warden = supervise(), make()
    warden.link.tell_exit(EXITED)
    until_said(warden, first, HELLO, EXITED)
    warden.pass_time(LAST_WORD_S - 1)
    assert warden.abandoned == 0
    warden.pass_time(2)
    assert warden.abandoned == 1


def test_without_a_supervisor_the_last_word_waits_for_the_next(make: Callable[..., Warden]) -> None:
    warden = make()
    warden.link.tell_exit(EXITED)
    warden.lose(warden.supervisor)
    warden.pass_time(TIMEOUT_S - 1)
    assert warden.abandoned == 0
