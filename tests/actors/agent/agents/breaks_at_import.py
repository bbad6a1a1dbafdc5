"""A module that fails to be imported."""

raise OSError(5, "no such luck")
