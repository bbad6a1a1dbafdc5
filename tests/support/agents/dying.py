"""Dies while it is imported, as a broken extension module does."""

import ctypes

ctypes.string_at(0)
