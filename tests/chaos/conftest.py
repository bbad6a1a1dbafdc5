"""The seed of a test: new each time, printed with a test that fails; CHAOS_SEED repeats one."""

import os
import random
import sys
from collections.abc import Callable

import pytest


@pytest.fixture
def seed(record_property: Callable[[str, object], None]) -> int:
    given = os.environ.get("CHAOS_SEED")
    seed = int(given) if given else random.SystemRandom().randrange(1_000_000)
    sys.stdout.write(f"CHAOS_SEED={seed}\n")
    record_property("seed", seed)
    return seed
