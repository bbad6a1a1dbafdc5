"""Run AI agents that may crash, hang or misbehave, each in its own confined process.

Every process of the runtime imports this module first, so it stays empty but for the version.
"""

__version__ = "0.1.0"
