"""Nothing is left behind by a test of this folder."""

from ..support.leaks import _nothing_left_by_a_test
from .compiled import compiled

__all__ = ["_nothing_left_by_a_test", "compiled"]
