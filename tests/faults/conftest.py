"""Nothing is left behind by a test of this folder; every fault meets a real server over a real port."""

from ..support.leaks import _nothing_left_by_a_test

__all__ = ["_nothing_left_by_a_test"]
