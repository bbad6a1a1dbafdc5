"""Ends while it is imported, as a program does that was mistaken for a module: input and all are never asked for."""

import sys

sys.exit(3)
