"""Clients that start runs, follow each to its end over whatever happens to the server, and note what was wrong."""

import json
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.client import HTTPException

from ..support.client import ENDS, Answer, BrokenOff, Client, Frame, Json

PAUSE_S = 0.02
ENDLESS_S = 3600.0
PATIENCE_S = 60.0  # for an answer, however often the server is shot at meanwhile
RETRIED = frozenset({429, 503})
FATES = {
    "completed": ("completed", "completed"),
    "exception": ("failed", "exception"),
    "exit_code": ("failed", "exit_code"),
    "signal": ("failed", "signal"),
    "stopped": ("cancelled", "interrupted"),
}


@dataclass
class Told:
    """What a reader was told of one run."""

    fate: str
    key: str
    run_id: str = ""
    events: list[Json] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    stop_accepted: bool = False
    stops_sent: int = 0  # who is told 503 and asks again has, for all he knows, stopped twice
    breaks: int = 0

    @property
    def end(self) -> Json | None:
        """The terminal event."""
        return self.events[-1] if self.events and self.events[-1]["event"] in ENDS else None


class Reader:
    """A thread that has runs, one after the other, until `over` is set; then the last one is stopped.

    `told` is all that was seen.
    """

    def __init__(
        self,
        client: Client,
        seed: int,
        longest_s: float,
        over: threading.Event,
        stopped: Callable[[], object],
    ) -> None:
        """`stopped` is called at the very moment a stop was accepted."""
        self.thread = threading.Thread(target=self._read, name=f"reader {seed}", daemon=True)
        self._client = client
        self._random = random.Random(seed)
        self._longest_s = longest_s
        self._over = over
        self._stopped = stopped
        self.told: list[Told] = []
        self.gaps_s: list[float] = []  # between two frames of a stream whose agent talks
        self._sent = 0
        self.trouble: BaseException | None = None

    def _read(self) -> None:
        try:
            while not self._over.is_set():
                self._one_run()
        except BaseException as error:  # noqa: BLE001 - it belongs to the test
            self.trouble = error

    def _one_run(self) -> None:
        fate = self._random.choice([*FATES])
        told = Told(fate, uuid.uuid4().hex)
        self.told.append(told)
        lasts_s = self._random.uniform(0.05, self._longest_s)
        plan = {
            "lasts_s": ENDLESS_S if fate == "stopped" else lasts_s,
            "pause_s": self._random.choice([0.0005, 0.005, 0.02]),
            "end": fate,
        }
        body = {"agent": "counts", "input": json.dumps(plan)}
        answer = self._insist("POST", "/v1/runs", body, {"Idempotency-Key": told.key})
        assert answer.status == 202, answer.body
        told.run_id = answer.json["run_id"]
        stop_at = time.monotonic() + lasts_s if fate == "stopped" else None
        while told.end is None:
            self._follow(told, stop_at)

    def _follow(self, told: Told, stop_at: float | None) -> None:
        """As long as the stream lasts."""
        after = {"Last-Event-ID": told.ids[-1]} if told.ids else {}
        try:
            with self._client.stream(told.run_id, headers=after) as stream:
                if stream.status != 200:
                    assert stream.status in RETRIED, (stream.status, stream.body())
                    time.sleep(PAUSE_S)
                    return
                for frame in self._timed(iter(stream)):
                    told.events.append(frame.event)
                    told.ids.append(frame.id)
                    due = stop_at is not None and time.monotonic() >= stop_at
                    if (due or self._over.is_set()) and not told.stop_accepted:
                        self._ask_to_stop(told)
        except (BrokenOff, HTTPException, ConnectionResetError, BrokenPipeError):
            told.breaks += 1

    def _timed(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        last: float | None = None
        for frame in frames:
            if last is not None:
                self.gaps_s.append(time.monotonic() - last)
            yield frame
            last = None if frame.event["event"] == "run.queued" else time.monotonic()

    def _ask_to_stop(self, told: Told) -> None:
        before = self._sent
        answer = self._insist("POST", f"/v1/runs/{told.run_id}/stop", {})
        told.stops_sent += self._sent - before
        assert answer.status == 200 or answer.error["code"] == "run_ended", answer.body
        told.stop_accepted = answer.status == 200
        if told.stop_accepted:
            self._stopped()

    def _insist(self, method: str, path: str, body: object, headers: Json | None = None) -> Answer:
        """The answer, asked for again while there is none; a refused connection is never put up with."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            self._sent += 1
            try:
                answer = self._client.ask(method, path, body, headers or {})
            except (HTTPException, ConnectionResetError, BrokenPipeError):
                continue
            if answer.status not in RETRIED:
                return answer
            assert int(answer.headers["Retry-After"]) >= 1
            time.sleep(PAUSE_S)
        raise AssertionError(f"{method} {path} was not answered within {PATIENCE_S:g} s")


def faults(told: Told, lost: bool, start_may_fail: bool) -> Iterator[str]:
    """What is wrong with what a reader was told; `lost`: one of the run's own processes was shot."""
    numbers = [event["seq"] for event in told.events]
    if numbers != list(range(1, len(numbers) + 1)) or told.ids != [str(number) for number in numbers]:
        yield f"its numbers have a gap or a repetition: {_odd(numbers)}"
    ends = [event["event"] for event in told.events if event["event"] in ENDS]
    if len(ends) != 1 or told.end is None:
        yield f"it has the ends {ends}"
        return
    counted = [event["n"] for event in told.events if event["event"] == "test.count"]
    if counted != list(range(1, len(counted) + 1)):
        yield f"what its agent said has a gap or a repetition: {_odd(counted)}"
    if told.end["event"] == "run.completed" and told.end["output"] != len(counted):
        yield f"its agent said {told.end['output']} numbers, {len(counted)} came"
    how = told.end["event"].removeprefix("run."), told.end.get("reason", "completed")
    if how not in _expected(told, lost, start_may_fail):
        yield f"it ended as {how}: {told.end}"


def _expected(told: Told, lost: bool, start_may_fail: bool) -> set[tuple[str, str]]:
    stopped = told.stop_accepted or told.fate == "stopped"
    expected = {FATES["stopped"]} if stopped else {FATES[told.fate]}
    if told.stop_accepted and told.fate != "stopped":
        expected.add(FATES[told.fate])  # the stop came with the end
    if told.stops_sent > 1:
        expected.add(("cancelled", "terminated"))
    if lost:
        expected |= {("failed", "lost"), ("failed", "signal"), ("failed", "start_failed")}
        if stopped:
            expected |= {("cancelled", "killed"), ("cancelled", "interrupted")}
    if start_may_fail and len(told.events) <= 2:
        expected.add(("failed", "start_failed"))
    return expected


def _odd(numbers: list[int]) -> str:
    at = next((at for at, number in enumerate(numbers, 1) if number != at), None)
    return "none" if at is None else f"…{numbers[max(0, at - 3) : at + 3]}… in {len(numbers)}"
