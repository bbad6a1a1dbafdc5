"""The warden's side of child runs: what the agent wishes is checked, asked of the supervisor, and answered.

Made with the first wish of a run; most have none. A supervisor that comes after one that died is asked again for all
that was not answered: the number of a wish makes it the same one, so a child is one run.
"""

from collections.abc import Callable, Iterable

import msgspec

from ..config.sections import AgentSpec, RunsSettings
from . import wishes
from .messages.from_run import AskChild, SpawnRun
from .messages.to_run import ChildGone, NotSpawned, Spawned
from .messages.with_agent import ChildEnded, ChildRefused, ChildStarted
from .wishes import SpawnWish, StopWish

TOO_FAST = "spawning_too_fast"
NOT_ALLOWED = "spawn_not_allowed"
FULL = "tree_full"
MOST_STOPS = 3  # one for each rung
#: What an agent that does not listen may be owed; beyond it the outputs of its children are left out.
OWED_BYTES = 16_777_216


class Pace:
    """How often an agent may ask: `burst` at once, then `per_s`. Pure."""

    def __init__(self, burst: int, per_s: float, now: float) -> None:
        self._burst = burst
        self._per_s = per_s
        self._left = float(burst)
        self._at = now

    def allows(self, now: float) -> bool:
        """Whether one more is within it; if so, it counts."""
        self._left = min(self._burst, self._left + (now - self._at) * self._per_s)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Children:
    """Of one attempt. `tell` is to the supervisor, `answer` to the agent, `owed` how many bytes it has not read."""

    def __init__(
        self,
        run_id: str,
        attempt: int,
        spec: AgentSpec,
        runs: RunsSettings,
        clock: Callable[[], float],
        tell: Callable[[SpawnRun | AskChild], None],
        answer: Callable[[ChildStarted | ChildRefused | ChildEnded], None],
        owed: Callable[[], int],
    ) -> None:
        self._run_id = run_id
        self._attempt = attempt
        self._spec = spec
        self._most = runs.max_children
        self._clock = clock
        self._tell = tell
        self._answer = answer
        self._owed = owed
        self._pace = Pace(runs.max_children, runs.max_spawns_per_s, clock())
        self._n = 0
        self._asked: dict[int, tuple[str, SpawnRun]] = {}  # n → the agent's key, what was asked
        self._live: dict[str, int] = {}  # child → how often the agent wanted it to end

    def wish(self, line: bytes) -> str | None:
        """Act on a line of the agent's. Why it was none, where there is no key to answer under."""
        wish = wishes.read(line)
        match wish:
            case SpawnWish():
                self._spawn(wish)
            case StopWish(child_run_id):
                return self._stop(child_run_id)
            case ChildRefused():
                self._answer(wish)
            case str():
                return wish
        return None

    def _spawn(self, wish: SpawnWish) -> None:
        why = self._why_not(wish.agent)
        if why is not None:
            self._answer(ChildRefused(wish.spawn, *why))
            return
        self._n += 1
        asked = SpawnRun(self._run_id, self._attempt, self._n, wish.agent, wish.given(), wish.limits)
        self._asked[self._n] = (wish.spawn, asked)
        self._tell(asked)

    def _why_not(self, agent: str) -> tuple[str, str] | None:
        name = self._spec.name
        if agent not in self._spec.spawn:
            listed = ", ".join(self._spec.spawn) or "none"
            return NOT_ALLOWED, f"agents.{name}.spawn does not list {agent!r} (it lists: {listed})"
        if len(self._asked) + len(self._live) >= self._most:
            return FULL, f"the run has {self._most} live children, the most it may have (runs.max_children)"
        if not self._pace.allows(self._clock()):
            return TOO_FAST, "the run asks for children faster than runs.max_spawns_per_s"
        return None

    def _stop(self, child_run_id: str) -> str | None:
        stops = self._live.get(child_run_id)
        if stops is None:
            return f"{child_run_id!r} is no live child of this run"
        if stops < MOST_STOPS:
            self._live[child_run_id] = stops + 1
            self._tell(AskChild(self._run_id, self._attempt, child_run_id, stops + 1))
        return None

    # ── from the supervisor ──────────────────────────────────────────────────────────────────────

    def hear(self, message: Spawned | NotSpawned | ChildGone) -> None:
        """An answer, which may be one that came before; then the agent has had it."""
        match message:
            case Spawned(n, child_run_id):
                if n in self._asked:
                    key, _ = self._asked.pop(n)
                    self._live[child_run_id] = 0
                    self._answer(ChildStarted(key, child_run_id))
            case NotSpawned(n, code, why):
                if n in self._asked:
                    key, _ = self._asked.pop(n)
                    self._answer(ChildRefused(key, code, why))
            case ChildGone():
                if self._live.pop(message.child_run_id, None) is not None:
                    self._answer(self._end(message))

    def _end(self, gone: ChildGone) -> ChildEnded:
        output, error = gone.output or b"null", gone.error
        if self._owed() > OWED_BYTES:
            output, error = b"null", "the output was left out: the agent does not read what it is told"
        return ChildEnded(gone.child_run_id, gone.status, gone.reason, msgspec.Raw(output), error, gone.usage)

    def unanswered(self) -> Iterable[SpawnRun | AskChild]:
        """What a supervisor that is new has to be asked, in order."""
        for _, asked in self._asked.values():
            yield asked
        for child_run_id, stops in self._live.items():
            yield AskChild(self._run_id, self._attempt, child_run_id, stops)
