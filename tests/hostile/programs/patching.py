"""An agent whose import turns the runtime's own modules against whoever uses them next."""

import builtins
import os
import sys
from types import FunctionType

FOUND = hasattr(builtins, "hostile_mark")  # left by an import before this one
os.write(2, f"found={FOUND}\n".encode())  # said now: afterwards there is not much left to say it by


def _lie(*_: object, **__: object) -> None:
    return None


builtins.hostile_mark = True  # type: ignore[attr-defined]
os.environ["HOSTILE_MARK"] = "left"
for _name, _module in list(sys.modules.items()):
    if _name.startswith("runward.") and _name.partition(".")[2].partition(".")[0] == "actors":
        for _key, _value in list(vars(_module).items()):
            if isinstance(_value, FunctionType) and _value.__module__ == _name and not _key.startswith("__"):
                setattr(_module, _key, _lie)


def agent(text: str, _: object) -> str:
    """Nobody may get here any more."""
    return text
