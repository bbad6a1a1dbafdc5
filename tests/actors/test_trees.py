"""Which live runs stand below which, how far a tree may grow, and what its runs used."""

import msgspec
import pytest

from runward.actors.records import HIGHEST_COUNT, Usage
from runward.actors.trees import Trees, added
from runward.config.sections import RunsSettings


def _trees(*, depth: int = 9, runs: int = 99, children: int = 99) -> Trees:
    """With a and b below root, and c below a."""
    trees = Trees(RunsSettings(max_tree_depth=depth, max_tree_runs=runs, max_children=children))
    trees.add("a", "root")
    trees.add("b", "root")
    trees.add("c", "a")
    return trees


def test_a_tree_is_told_from_both_ends() -> None:
    trees = _trees()
    assert trees.above("c") == ["c", "a", "root"]
    assert list(trees.below("root")) == ["a", "c", "b"]
    assert trees.children("root") == ["a", "b"]
    assert (trees.parent("c"), trees.parent("root")) == ("a", None)


def test_the_deepest_line_is_how_deep_they_are() -> None:
    trees = _trees()
    trees.add("x", "another root")
    assert trees.depth() == 3
    for run_id in ("c", "a", "b", "x"):
        trees.remove(run_id)
    assert trees.depth() == 1


def test_nothing_is_kept_of_runs_that_ended() -> None:
    trees = _trees()
    for run_id in ("c", "a", "b", "b", "stranger"):
        trees.remove(run_id)
    assert vars(trees)["_parents"] == vars(trees)["_children"] == {}


@pytest.mark.parametrize(
    ("bounds", "parent", "named"),
    [
        ({}, "c", None),
        ({"depth": 3}, "c", "runs.max_tree_depth"),
        ({"depth": 4}, "c", None),
        ({"children": 2}, "root", "runs.max_children"),
        ({"children": 2}, "a", None),
        ({"runs": 4}, "c", "runs.max_tree_runs"),
        ({"runs": 5}, "c", None),
    ],
)
def test_a_bound_that_is_reached_is_named(bounds: dict[str, int], parent: str, named: str | None) -> None:
    why = _trees(**bounds).why_full(parent)
    assert (why is None) if named is None else (why is not None and named in why)


def test_usage_is_added_where_there_is_any() -> None:
    assert added(None, None) is None
    assert added(Usage(1, 2, 3), None) == added(None, Usage(1, 2, 3)) == Usage(1, 2, 3)
    assert added(Usage(1, 2, 3), Usage(10, 20, 30)) == Usage(11, 22, 33)


def test_usage_that_agents_count_as_high_as_they_like_is_read_again() -> None:
    most = Usage(HIGHEST_COUNT, HIGHEST_COUNT, HIGHEST_COUNT)
    used = added(added(Usage(1, 2, 3), most), most)
    assert used == most
    assert msgspec.convert(msgspec.to_builtins(used), Usage) == used
