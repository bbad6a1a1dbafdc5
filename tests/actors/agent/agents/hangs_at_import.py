"""A module that never finishes to be imported."""

# ruff: noqa: T201  # what an agent prints is a part of what is tested

import threading

try:
    print("importing", flush=True)
    threading.Event().wait()
finally:
    print("cleaned up", flush=True)
