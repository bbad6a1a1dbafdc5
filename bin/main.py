"""The command line's front door: `runward`, `python -m runward` and `bin/runward` all call `main`.

Only the standard library's cheapest modules are imported here: a spawned child imports the script that was
started, and with it this module; and `runward --version` should cost no more than the interpreter.
"""

import gc
import sys
from collections.abc import Sequence

from .. import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command to its end and return its exit code; see `outcome.py` for what each code means.

    `argv` is without the program's name; None means this process's own. Blocks as long as the command does.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if words in (["--version"], ["-V"]):
        print(f"runward {__version__}")
        return 0
    if argv is None and words[:1] == ["serve"]:
        from .fresh_start import start_over

        start_over()
    # What is imported stays: looking through it for garbage, again and again as it grows, is a tenth of the start.
    gc.disable()
    from .commands import obey

    try:
        return obey(words)
    except SystemExit as end:  # how every command ends, and how wrong usage does
        return _code(end.code)
    finally:
        gc.enable()


def _code(code: object) -> int:
    if isinstance(code, int):
        return code
    return 0 if code is None else 1
