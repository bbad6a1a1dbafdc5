"""One call of an agent that is made with a framework, by the adapter of that framework."""

import importlib
from collections.abc import Callable, Mapping
from typing import Any, cast

from ..calling import Deltas
from ..channel import Channel
from ..interruption import Interruption
from ..records import RunInput, Usage
from ..run import Run
from .narration import Asked, Narration, plain
from .recognised import Framework

#: What each adapter has as `answer`: it blocks, returns the output, and ends early once the run is asked to end.
Answer = Callable[[Any, Asked, Narration, Interruption], Any]


class FrameworkCall:
    """`output` and `usage` are right at every moment, however the call ends."""

    # A framework says so by raising, and in no other way.
    error: str | None = None
    interrupted = False

    def __init__(
        self,
        framework: Framework,
        agent: Any,
        given: RunInput,
        run: Run,
        channel: Channel,
        deltas: Deltas,
        options: Mapping[str, Any],
    ) -> None:
        """Import the adapter. ImportError: the framework is of a version that it does not fit."""
        self.kind = framework.kind
        self._agent = agent
        self._asked = Asked(given, run, dict(options))
        self._deltas = deltas
        self._narration = Narration(run, channel, deltas)
        self._returned: Any = None
        adapter = importlib.import_module(f".{framework.adapter}", __package__)
        self._answer = cast(Answer, adapter.answer)

    @property
    def output(self) -> Any:
        """Its answer; before there is one, what it said so far."""
        return self._deltas.joined if self._returned is None else self._returned

    @property
    def usage(self) -> Usage | None:
        """Tokens, if the framework counted any."""
        return self._asked.run.used

    def perform(self, interruption: Interruption) -> None:
        """Ask it. Raises what it raises."""
        if interruption.wished:
            return
        self._returned = plain(self._answer(self._agent, self._asked, self._narration, interruption))
