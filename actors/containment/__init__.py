"""What holds a run: how it is forked off, what walls it gets, how all of it is killed and what proves that.

`probe` finds out what this machine allows, by doing it. `linux` alone makes system calls by ctypes.
"""
