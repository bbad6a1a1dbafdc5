"""What each run of the demo should do, and what is wrong with what it did. Reads stories, asks nobody."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ...actors.records import Exit
from ...http.api_types import Event, RunInfo
from .processes import Sighting

COUNT_TO = 12
GREETING = "Each run is a process of its own."


@dataclass
class Story:
    """What was seen of one run: by its events, by the run object at its end, and from outside."""

    events: list[Event] = field(default_factory=list)
    run: RunInfo | None = None
    process: Sighting | None = None
    still_alive: bool = False  # the agent's process, looked for after the end was told

    @property
    def text(self) -> str:
        """All that the agent said."""
        return "".join(event.text for event in self.events)

    @property
    def receipt(self) -> Exit:
        """The run object's `exit`."""
        return (self.run and self.run.exit) or Exit()


class Case(NamedTuple):
    """One agent of the demo: its input, what it does in words, and what would be wrong with its story."""

    agent: str
    given: str
    about: str
    judge: Callable[[Story], Iterator[str]]


def complaints(case: Case, story: Story) -> list[str]:
    """Sentences for all that was not as it should have been; empty when all was."""
    return [*_common(story), *case.judge(story)]


def _common(story: Story) -> Iterator[str]:
    seqs = [event.seq for event in story.events]
    if seqs != list(range(1, len(seqs) + 1)):
        yield "its events are not numbered 1, 2, 3 … without a gap"
    ends = [event for event in story.events if event.ends_run]
    if len(ends) != 1 or ends[-1:] != story.events[-1:]:
        yield "it has not exactly one end, as its last event"
    if story.process is None:
        yield "it never told its pid"
    elif story.still_alive:
        yield f"its process {story.process.pid} is still there"
    if story.receipt.survivors:
        yield f"it left processes behind: {story.receipt.survivors}"
    if not story.receipt.proof:
        yield "nothing proves its end"


def _echo(story: Story) -> Iterator[str]:
    yield from _status(story, "completed", "completed")
    if not story.text == (story.run and story.run.output) == GREETING:
        yield "it did not answer with its input"


def _count(story: Story) -> Iterator[str]:
    yield from _status(story, "completed", "completed")
    if story.text.split() != [str(number) for number in range(1, COUNT_TO + 1)]:
        yield f"its deltas are not 1 to {COUNT_TO} in order"


def _crash(story: Story) -> Iterator[str]:
    yield from _status(story, "failed", "signal")
    if story.receipt.signal != "SIGSEGV":
        yield f"it did not die of SIGSEGV but of {story.receipt.signal}"


def _spin(story: Story) -> Iterator[str]:
    yield from _status(story, "cancelled", "killed")
    if story.receipt.rung != "kill" or story.receipt.took_ms is None:
        yield "it was not the kill that ended it, or nobody took the time"


def _smollm(story: Story) -> Iterator[str]:
    yield from _status(story, "completed", "completed")
    if not story.text.strip():
        yield "the model said nothing"


def _status(story: Story, status: str, reason: str) -> Iterator[str]:
    found = (story.run and story.run.status, story.run and story.run.reason)
    if found != (status, reason):
        yield f"it should be {status} ({reason}) and is {found[0]} ({found[1]})"


SPIN = Case("spin", "for ever", "burns a CPU, deaf to every request", _spin)
CASES: Sequence[Case] = (
    Case("echo", GREETING, "answers with its input", _echo),
    Case("count", str(COUNT_TO), f"counts to {COUNT_TO}", _count),
    Case("crash", "segfault", "dies of a segmentation fault", _crash),
    SPIN,
)


def model_case(prompt: str) -> Case:
    """The case of a real language model."""
    return Case("smollm", prompt, "a language model that runs here", _smollm)
