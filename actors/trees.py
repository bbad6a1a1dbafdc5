"""Which live runs stand below which, and whether one more may. Pure: run ids and numbers.

The rule that makes it simple: a run that has live children has not ended, so above every live run all are live.
"""

from collections.abc import Iterator

from ..config.sections import RunsSettings
from .records import HIGHEST_COUNT, Usage


class Trees:
    """Every live run that has a parent, by its id."""

    def __init__(self, runs: RunsSettings) -> None:
        self._runs = runs
        self._parents: dict[str, str] = {}
        self._children: dict[str, dict[str, None]] = {}  # in the order they came

    def add(self, run_id: str, parent_run_id: str) -> None:
        """A run that lives from now on."""
        self._parents[run_id] = parent_run_id
        self._children.setdefault(parent_run_id, {})[run_id] = None

    def remove(self, run_id: str) -> None:
        """It has ended, or never was here."""
        parent = self._parents.pop(run_id, None)
        if parent is not None:
            siblings = self._children[parent]
            del siblings[run_id]
            if not siblings:
                del self._children[parent]

    def parent(self, run_id: str) -> str | None:
        """Whose child it is."""
        return self._parents.get(run_id)

    def children(self, run_id: str) -> list[str]:
        """The live ones; a copy."""
        return list(self._children.get(run_id, ()))

    def above(self, run_id: str) -> list[str]:
        """The run itself, its parent, and so on up to the first of the tree."""
        line = [run_id]
        while (parent := self._parents.get(line[-1])) is not None:
            line.append(parent)
        return line

    def below(self, run_id: str) -> Iterator[str]:
        """All live runs below it."""
        for child in self._children.get(run_id, ()):
            yield child
            yield from self.below(child)

    def depth(self) -> int:
        """The levels of the deepest tree; 1 where no run has a child. Costs a look at every child for each level."""
        return max((len(self.above(run_id)) for run_id in self._parents), default=1)

    def why_full(self, parent_run_id: str) -> str | None:
        """Why the run may have no other child now; None if it may."""
        line, runs = self.above(parent_run_id), self._runs
        if len(line) >= runs.max_tree_depth:
            return f"its tree may have no more than {runs.max_tree_depth} levels (runs.max_tree_depth)"
        if len(self._children.get(parent_run_id, ())) >= runs.max_children:
            return f"it has {runs.max_children} live children, the most it may have (runs.max_children)"
        if 1 + sum(1 for _ in self.below(line[-1])) >= runs.max_tree_runs:
            return f"its tree has {runs.max_tree_runs} live runs, the most it may have (runs.max_tree_runs)"
        return None


def added(one: Usage | None, other: Usage | None) -> Usage | None:
    """The sum; None where nobody counted. Agents count, so it may be as high as they like: a record holds no more."""
    if one is None or other is None:
        return one or other
    return Usage(
        min(one.input_tokens + other.input_tokens, HIGHEST_COUNT),
        min(one.output_tokens + other.output_tokens, HIGHEST_COUNT),
        min(one.total_tokens + other.total_tokens, HIGHEST_COUNT),
    )
