"""What can't even be imported."""

raise RuntimeError("no good import")
