"""The actor runtime. Empty but for this guard: every child process imports it on the way to its target."""

if __name__ != "runward.actors":  # the repository's root is on sys.path: a second name would make a second class of everything
    raise ImportError(f"import runward.actors, not {__name__}")
