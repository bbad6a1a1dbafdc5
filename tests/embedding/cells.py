"""A notebook: runs the cells that stdin holds as `__main__`, and says what became of the last one's value, packed."""

import sys

from runward.actors.callables import packed

if __name__ == "__main__":
    exec(sys.stdin.read(), globals())  # noqa: S102  # which is what a notebook is
    sys.stdout.buffer.write(packed(globals()["target"]))
