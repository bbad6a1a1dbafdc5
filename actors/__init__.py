"""The actor runtime. Empty but for this guard: every child process imports it on the way to its target."""

# The repository's root is on sys.path: a second name for the code would make a second class of everything.
if __name__ != "runward.actors":
    raise ImportError(f"import runward.actors, not {__name__}")
