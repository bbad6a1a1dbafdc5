"""A program for `command` that starts runs below its own, one of which it stops. It knows nothing of runward."""

import json
import sys
from typing import Any


def say(**line: Any) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def heard(control: str) -> dict[str, Any]:
    """The next message of this kind; nothing else is expected meanwhile."""
    line: dict[str, Any] = json.loads(sys.stdin.readline())
    assert line["control"] == control, line
    return line


text = heard("start")["input"]
say(spawn="no", agent="nobody", input=text)
refused = heard("spawn_refused")
say(spawn="a leaf", agent="leaf", input=text)
leaf = heard("spawned")
end_of_leaf = heard("child_ended")
say(spawn="a sleeper", agent="sleeper", input=text)
sleeper = heard("spawned")
say(stop_child=sleeper["run_id"])
end_of_sleeper = heard("child_ended")
assert (refused["key"], leaf["key"], sleeper["key"]) == ("no", "a leaf", "a sleeper")
assert end_of_leaf["run_id"] == leaf["run_id"]
output = {
    "refused": refused["code"],
    "leaf": [end_of_leaf["status"], end_of_leaf["output"]],
    "sleeper": end_of_sleeper["status"],
}
say(output=output)
