import os
import sys
from pathlib import Path

import pytest

from runward.actors import preloading

from .forks import in_a_fork


@pytest.mark.parametrize(
    ("entrypoint", "is_compiled"),
    [
        ("runward.actors.bench_agents:bench", True),
        ("runward.actors.nowhere:nothing", False),
        ("tests.actors.agent.agents.functions:returns", False),
        ("/some/where/agent.py:main", False),
        ("", False),
    ],
)
def test_the_bytecode_of_our_own_agents_alone_is_kept(
    entrypoint: str, is_compiled: bool, tmp_path: Path
) -> None:
    def imported_there() -> list[str]:
        before = set(sys.modules)
        sys.pycache_prefix, sys.dont_write_bytecode = str(tmp_path), False
        preloading.compile_ours(entrypoint)
        return sorted(sys.modules.keys() - before)

    assert in_a_fork(imported_there) == []
    kept = [Path(file).name.partition(".")[0] for _, _, files in os.walk(tmp_path) for file in files]
    assert kept == (["bench_agents"] if is_compiled else [])
