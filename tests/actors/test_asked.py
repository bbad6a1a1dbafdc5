"""What facades ask of the supervisor, with a real journal and no processes: what is done once, and for whom."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from runward.actors import replays
from runward.actors.admission import Caps
from runward.actors.approving import Approving
from runward.actors.commands import Commands
from runward.actors.forgetting import Forgetting
from runward.actors.journal.patient import PatientWriter
from runward.actors.lifecycle import Phase
from runward.actors.messages.answers import Refusal, RunAccepted, RunDeleted, RunsStopping
from runward.actors.messages.commands import DeleteRun, StartRun, StopRuns
from runward.actors.records import RunInput, Status
from runward.actors.register import Register
from runward.actors.room import Room
from runward.actors.sessions import Sessions
from runward.config.settings import AgentSpec, Settings, defaults

from .houses import FakeHouse

AGENTS = {name: AgentSpec(name=name, entrypoint=f"{name}:run") for name in ("echo", "other")}
DAY_S = 86_400.0


class House(FakeHouse):
    """With a real journal; whoever ends leaves the register."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.journal = PatientWriter(folder)
        settings = _settings(folder)
        self.register = Register(Caps(max_live=0))  # so that every run waits
        nobody: Any = None
        self.folders_thrown_away: list[str] = []
        forgetting = Forgetting(self, str(folder), self.folders_thrown_away.append)
        self.room = Room(settings.state.dir, settings.state.reserve_bytes, self)
        asking = (Approving(self, settings, self.register), nobody, Sessions(settings, self.register, {}))
        self.commands = Commands(self, settings, self.register, nobody, nobody, forgetting, *asking)

    def publish(self, *_: object) -> None:
        pass

    def ended(self, run: Any) -> None:
        self.register.leave(run)

    def ask(self, command: Any) -> Any:
        """The answer, once it is committed."""
        answers: list[Any] = []
        self.commands.obey(command, answers.append)
        self.journal.commit()
        self.commit()
        (answer,) = answers
        return answer

    def start(self, number: int, **more: Any) -> Any:
        """Start a run of this number."""
        given = RunInput(input="x", session_id=more.pop("session_id", None))
        owner, agent = more.pop("owner", "alice"), more.pop("agent", "echo")
        return self.ask(StartRun(f"c{number}", f"run_{number}", owner, agent, given, **more))

    def live(self) -> list[str]:
        return [run.record.run_id for run in self.register.all()]


def _settings(folder: Path) -> Settings:
    base = defaults()
    state = msgspec.structs.replace(base.state, dir=str(folder), reserve_bytes=0)
    runs = msgspec.structs.replace(base.runs, max_queued=5)
    return msgspec.structs.replace(base, agents=AGENTS, state=state, runs=runs)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path / "state")
    yield house
    house.journal.close()


# ── one run for a key ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_second_start_with_the_same_key_and_body_is_the_first_one_s_run(house: House) -> None:
    first = house.start(1, idempotency_key="k", body_hash=b"one")
    second = house.start(2, idempotency_key="k", body_hash=b"one")
    assert first == RunAccepted("c1", "run_1")
    assert second == RunAccepted("c2", "run_1", replayed=True)
    assert house.live() == ["run_1"]


def test_a_start_that_is_sent_again_by_its_facade_is_no_replay(house: House) -> None:
    started = house.start(1, idempotency_key="k", body_hash=b"one")
    assert house.start(1, idempotency_key="k", body_hash=b"one") == started
    assert not started.replayed


@pytest.mark.parametrize("key", [None, "k"])
def test_a_start_that_took_a_spare_is_known_again_by_the_next_supervisor_too(
    house: House, key: str | None, tmp_path: Path
) -> None:
    house.spares = ["run_spare"]
    first = house.start(1, idempotency_key=key, body_hash=b"one")
    assert first.run_id == "run_spare"
    house.spares = ["run_other"]
    assert house.start(1, idempotency_key=key, body_hash=b"one") == first
    house.journal.close()
    house.__init__(tmp_path / "state")  # type: ignore[misc]
    assert house.start(1, idempotency_key=key, body_hash=b"one") == first
    assert house.live() == []  # of this one: nothing was taken up


def test_a_run_that_waits_for_its_turn_leaves_the_spare_to_others(house: House) -> None:
    house.spares = ["run_spare"]
    assert house.start(1, session_id="s").run_id == "run_spare"
    house.spares = ["run_other"]
    assert house.start(2, session_id="s").run_id == "run_2"
    assert house.start(3, session_id="s", on_conflict="parallel").run_id == "run_other"


def test_another_body_is_a_conflict_and_another_owner_is_not(house: House) -> None:
    house.start(1, idempotency_key="k", body_hash=b"one")
    conflict = house.start(2, idempotency_key="k", body_hash=b"two")
    assert isinstance(conflict, Refusal)
    assert (conflict.code, conflict.param) == ("idempotency_key_conflict", "Idempotency-Key")
    assert house.start(3, owner="bob", idempotency_key="k", body_hash=b"two") == RunAccepted("c3", "run_3")


def test_a_refused_start_leaves_its_key_free(house: House) -> None:
    for code in ("agent_not_found", "queue_full", "shutting_down"):
        house.commands.closing = code == "shutting_down"
        if code == "queue_full":
            for number in range(10, 15):
                house.start(number)
        agent = "nobody" if code == "agent_not_found" else "echo"
        refused = house.start(1, agent=agent, idempotency_key="k", body_hash=b"one")
        assert (type(refused), refused.code) == (Refusal, code)
    house.commands.closing = False
    house.ask(StopRuns("s", None))
    assert house.start(2, idempotency_key="k", body_hash=b"two") == RunAccepted("c2", "run_2")


def test_a_replay_is_answered_though_no_new_run_would_be_taken(house: House) -> None:
    house.start(1, idempotency_key="k", body_hash=b"one")
    house.commands.closing = True
    assert house.start(2, idempotency_key="k", body_hash=b"one").replayed


def test_a_key_is_kept_for_a_day(house: House) -> None:
    assert replays.KEPT_S == DAY_S
    house.start(1, idempotency_key="k", body_hash=b"one")
    house.time_s += DAY_S
    assert house.start(2, idempotency_key="k", body_hash=b"one").run_id == "run_1"
    house.time_s += 1
    assert house.start(3, idempotency_key="k", body_hash=b"two") == RunAccepted("c3", "run_3")


# ── stops for many ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("filters", "stopped"),
    [
        ({}, {1, 2, 3}),
        ({"owner": "alice"}, {1, 2}),
        ({"agent": "other"}, {2, 3}),
        ({"session_id": "s"}, {3}),
        ({"agent": "other", "owner": "alice"}, {2}),
        ({"status": Status.QUEUED}, {1, 2, 3}),
        ({"status": Status.RUNNING}, set()),
        ({"session_id": "run_1"}, {1}),
    ],
)
def test_only_what_matches_all_is_stopped(house: House, filters: dict[str, Any], stopped: set[int]) -> None:
    house.start(1)
    house.start(2, agent="other")
    house.start(3, agent="other", owner="bob", session_id="s")
    answer = house.ask(StopRuns("s", **{"owner": None, **filters}))
    assert set(answer.run_ids) == {f"run_{number}" for number in stopped}
    assert set(house.live()) == {f"run_{number}" for number in {1, 2, 3} - stopped}


def test_a_stop_for_many_that_is_sent_again_stops_nobody_else_and_has_the_same_answer(house: House) -> None:
    house.start(1)
    house.start(2)
    first = house.ask(StopRuns("s", None))
    house.start(3)
    assert house.ask(StopRuns("s", None)) == first == RunsStopping("s", ["run_1", "run_2"])
    assert house.live() == ["run_3"]


def test_each_stop_of_many_is_an_intent_of_its_own_in_the_journal(house: House) -> None:
    house.start(1)
    house.start(2)
    house.ask(StopRuns("s", None, reason="enough"))
    assert house.journal.command("s/run_1") == ("run_1", "stop")
    assert house.journal.command("s/run_2") == ("run_2", "stop")


# ── forgetting ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_ended_run_is_forgotten_by_its_owner_alone(house: House) -> None:
    house.start(1)
    house.ask(StopRuns("s", None))
    assert house.ask(DeleteRun("d1", "run_1", "bob")).code == "run_not_found"
    assert house.folders_thrown_away == []
    assert house.ask(DeleteRun("d2", "run_1", "alice")) == RunDeleted("d2", "run_1")
    assert house.folders_thrown_away == ["run_1"]
    assert house.ask(DeleteRun("d3", "run_1", None)).code == "run_not_found"


def test_a_run_that_has_not_ended_is_not_forgotten(house: House) -> None:
    house.start(1)
    refusal = house.ask(DeleteRun("d", "run_1", None))
    assert (refusal.code, refusal.status) == ("run_live", "queued")
    (run,) = house.register.all()
    assert run.state.phase is Phase.QUEUED
    assert house.journal.run_key("run_1") is not None
